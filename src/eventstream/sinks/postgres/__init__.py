"""PostgreSQL: rows, and the position they came from, in one transaction."""

from eventstream.sinks.postgres.settings import Postgres
from eventstream.sinks.postgres.table.settings import Table

__all__ = ["Postgres", "Table"]
