"""A topic's partitions, and where keys belong."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from eventstream.log.native.murmur2 import partition_of
from eventstream.log.native.partition import Partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError

REMEMBERED_KEYS = 65_536


class Early(NamedTuple):
    """Events that came before their topic's partitions were known."""

    events: int
    again: Callable[[], object]
    give_up: Callable[[KafkaError], None]
    since_s: float


class Topic:
    """A topic's partitions, and where keys belong.

    Attributes:
        partitions: All of them; none until Kafka has said how many.
        early: Calls that wait for that.
        unknown_since_s: Since when Kafka has not known it, by the loop's clock.
    """

    __slots__ = ("_places", "early", "partitions", "unknown_since_s")

    def __init__(self) -> None:
        self.partitions: list[Partition] = []
        self.early: deque[Early] = deque()
        self.unknown_since_s: float | None = None
        self._places: dict[bytes, Partition] = {}

    def extend(self, name: str, count: int) -> None:
        """Have more partitions than before."""
        self.partitions += [Partition(name, n) for n in range(len(self.partitions), count)]
        self._places.clear()

    def place(self, key: bytes | None, number: int) -> Partition:
        """Find where an event goes: where it is told to, where its key belongs, or anywhere."""
        if number >= 0:
            return self.partitions[number]
        if key is None:
            return random.choice(self.partitions)  # noqa: S311 - chance is to spread them
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= REMEMBERED_KEYS:
                self._places.clear()
            place = self.partitions[partition_of(key, len(self.partitions))]
            self._places[key] = place
        return place
