"""A table for events, where there is none; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.sinks.postgres.table.catalogue import quoted, quoted_name
from eventstream.sinks.sources import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventstream.sinks.postgres.table.mapping import Mode
    from eventstream.sinks.sources import Source

_TYPES = {
    Kind.POINTER: "jsonb",
    Kind.KEY: "text",
    Kind.VALUE: "jsonb",
    Kind.HEADERS: "jsonb",
    Kind.HEADER: "text",
    Kind.TIMESTAMP: "timestamptz NOT NULL",
    Kind.TOPIC: "text NOT NULL",
    Kind.PARTITION: "integer NOT NULL",
    Kind.OFFSET: "bigint NOT NULL",
}
_OF_ONE_TOPIC = frozenset({Kind.PARTITION, Kind.OFFSET})


def create_statement(table: str, mapping: Mapping[str, Source], mode: Mode) -> str | None:
    """Write the statement that would make a table for a mapping.

    Types are what is known to hold every event: what stands in the JSON is `jsonb`.

    Args:
        table: Its name, as in the settings.
        mapping: Where its columns' values stand.
        mode: What is done with the rows.

    Returns:
        The statement; `None` where what is unique cannot be known, or nothing is.
    """
    key = _key(mapping, mode)
    if not mapping or (mode != "append" and not key):
        return None
    parts = [f"{quoted_name(name)} {_TYPES[source.kind]}" for name, source in mapping.items()]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(map(quoted_name, key))})")
    return f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(parts)})"


def _key(mapping: Mapping[str, Source], mode: Mode) -> Sequence[str]:
    """Say what is unique: an event's place in the log, or the key of what is updated."""
    if mode == "upsert":
        return [name for name, source in mapping.items() if source.kind is Kind.KEY][:1]
    places = {source.kind: name for name, source in mapping.items()}
    if mode == "append" or not places.keys() >= _OF_ONE_TOPIC:
        return []
    parts = [Kind.TOPIC, Kind.PARTITION, Kind.OFFSET]
    return [places[kind] for kind in parts if kind in places]
