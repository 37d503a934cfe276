"""Events as rows of a table, with the position they came from in the same transaction."""
