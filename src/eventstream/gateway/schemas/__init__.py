"""A JSON Schema per topic: what an event must look like to be let in, and how that may change."""
