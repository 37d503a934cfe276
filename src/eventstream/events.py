"""The nouns: what is published, what comes back, what a handler receives."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes | None], ...]
"""Header names and values in the order they stand on the record; a name may repeat."""


class Receipt(NamedTuple):
    """Where an acknowledged event stands in the log."""

    topic: str
    partition: int
    offset: int


class Event(msgspec.Struct, eq=False, gc=False):
    """One record of a topic, as a handler receives it or a publisher sends it.

    Attributes:
        topic: The topic's name.
        value: The data as published, byte for byte; `None` is a tombstone.
        key: The Kafka key; events of one key keep their order. `None` means no order.
        headers: Names and values in record order.
        partition: Where the event stands; -1 when it is not in the log yet.
        offset: Its offset in that partition; -1 when it is not in the log yet.
        timestamp_ms: Milliseconds since the epoch; 0 when it is not in the log yet.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = 0

    def json(self) -> Any:
        """Decode the value as JSON.

        Raises:
            msgspec.DecodeError: The value is not JSON, or the event is a tombstone.
        """
        return msgspec.json.decode(b"" if self.value is None else self.value)

    def __repr__(self) -> str:
        where = f"{self.topic}/{self.partition}/{self.offset}" if self.offset >= 0 else self.topic
        size = "tombstone" if self.value is None else f"{len(self.value)} bytes"
        return f"<Event {where} key={self.key!r} {size}>"
