"""PostgreSQL: rows, and the position they came from, in one transaction."""

from eventstream.sinks.postgres.settings import Postgres

__all__ = ["Postgres"]
