"""Sinks: effects, and the position they came from, kept together."""
