"""How a worker reaches the log: Kafka's, or one in memory (`eventstream.testing`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from eventstream.deadletters.letters import HEADER_BYTES
from eventstream.log.companions import make_companion
from eventstream.log.consumer import Consumer
from eventstream.log.follower import Follower
from eventstream.log.lookups import Lookups
from eventstream.log.pick import pick
from eventstream.settings import ProducerSettings
from eventstream.worker.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from eventstream.events import Headers, Receipt
    from eventstream.log.bound import Bound
    from eventstream.log.follower import Reader
    from eventstream.log.listener import Listener, Partition, Positions
    from eventstream.log.received import Received
    from eventstream.settings import KafkaSettings, WorkerSettings

LARGEST_RECORD = 100_000_000
"""Dead letters may be as large as any topic allows, in bytes."""


class Reading(Protocol):
    """A member of the group; see `Consumer`."""

    def start(self) -> None:
        """Join, and begin to read."""

    async def stop(self) -> None:
        """Give up the partitions, commit, leave."""

    async def commit(self, positions: Positions) -> set[Partition]:
        """Commit; return the partitions whose positions were taken."""

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Read on from all partitions but these."""

    def place(self, partition: Partition, offset: int) -> None:
        """Read a partition from an offset on; `Listener.assigned` says when it is so.

        What comes of it before that was read from elsewhere.
        """

    def end_offset(self, topic: str, partition: int) -> int:
        """One more than the partition's last offset; -1 when not known."""


class Following(Protocol):
    """Who reads partitions from their beginning on; see `Follower`."""

    def start(self) -> None:
        """Begin; nothing is followed yet."""

    def follow(self, places: Iterable[Partition]) -> None:
        """Follow these partitions too."""

    def leave(self, places: Iterable[Partition]) -> None:
        """Follow these partitions no more."""

    async def stop(self) -> None:
        """End."""


class Sending(Protocol):
    """Who writes events; see `Outbox`."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers = (),
        partition: int = -1,
    ) -> Receipt:
        """Write an event, and wait until all in-sync replicas have it."""

    async def close(self) -> None:
        """Wait a while for what was sent and nobody waits for any more."""


class Reach(Protocol):
    """Everything a worker asks of the log; every method is called in the worker's loop."""

    def reading(
        self,
        topics: Sequence[str],
        listener: Listener,
        bound: Bound,
        placed: Collection[str] = (),
    ) -> Reading:
        """Make the group's member that reads these topics.

        Args:
            topics: The topics.
            listener: Hears what happens.
            bound: How much may be read.
            placed: Those whose partitions wait until they are placed.
        """

    def following(self, reader: Reader) -> Following:
        """Make what hears companions for a reader."""

    def sending(self) -> Sending:
        """Make what the worker writes with."""

    async def make_companion(self, companion: str, topic: str) -> None:
        """Make sure that a companion of a topic exists."""

    async def topic_tag(self, topic: str) -> str:
        """Say which topic of that name there is now: one that is made anew has another tag."""

    async def fetch(
        self, topic: str, partition: int, offsets: Collection[int]
    ) -> dict[int, Received]:
        """Read records by their offsets."""


class KafkaReach:
    """Reaches a real Kafka; see `Reach`.

    Args:
        kafka: Where it is.
        settings: The worker's settings.
        producer: How events are sent; by default as the gateway does, of any size.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: WorkerSettings,
        producer: ProducerSettings | None = None,
    ) -> None:
        self._kafka = kafka
        self._settings = settings
        self._producer = producer or ProducerSettings(max_record_bytes=LARGEST_RECORD)

    def reading(
        self,
        topics: Sequence[str],
        listener: Listener,
        bound: Bound,
        placed: Collection[str] = (),
    ) -> Consumer:
        """Make the group's member; raises `InvalidSetting` when the client refuses an option."""
        return Consumer(self._kafka, self._settings, topics, listener, bound, placed)

    def following(self, reader: Reader) -> Follower:
        """Make what hears companions; raises as `reading` does."""
        return Follower(self._kafka, reader)

    def sending(self) -> Outbox:
        """Make what the worker writes with; it connects with the first event."""
        return Outbox(self._kafka, self._producer)

    async def topic_tag(self, topic: str) -> str:
        """Say which topic of that name there is now, in a thread."""
        loop = asyncio.get_running_loop()
        shape = await loop.run_in_executor(None, lambda: Lookups(self._kafka).shape(topic))
        return shape.tag

    async def make_companion(self, companion: str, topic: str) -> None:
        """Make sure that a companion of a topic exists, in a thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            None, make_companion, self._kafka, companion, topic, HEADER_BYTES
        )

    async def fetch(
        self, topic: str, partition: int, offsets: Collection[int]
    ) -> dict[int, Received]:
        """Read records by their offsets, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, pick, self._kafka, topic, partition, offsets)
