"""How a simulated process reaches Kafka in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.errors import KafkaUnavailable
from eventstream.log.received import runs_of
from eventstream.testing.kafka import Pipe
from eventstream.testing.member import Member

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from eventstream.log.bound import Bound
    from eventstream.log.follower import Reader
    from eventstream.log.listener import Listener, Partition
    from eventstream.log.received import Received
    from eventstream.settings import WorkerSettings
    from eventstream.testing.kafka import SimulatedKafka
    from eventstream.testing.loop import Process


class Follower:
    """Reads partitions from their beginning on; see `eventstream.log.follower`."""

    def __init__(self, kafka: SimulatedKafka, reader: Reader) -> None:
        self._kafka = kafka
        self._reader = reader
        self._read: dict[Partition, int] = {}
        self._loading: set[Partition] = set()
        self._stopping = False
        self._task: asyncio.Task[None]

    def start(self) -> None:
        """Begin; nothing is followed yet."""
        self._task = self._kafka.loop.create_task(self._run())

    def follow(self, places: Iterable[Partition]) -> None:
        """Follow these partitions too."""
        for where in places:
            self._read[where] = 0
            self._loading.add(where)
        self._kafka.changed.notify()

    def leave(self, places: Iterable[Partition]) -> None:
        """Follow these partitions no more."""
        for where in places:
            self._read.pop(where, None)
            self._loading.discard(where)

    async def stop(self) -> None:
        """End."""
        self._stopping = True
        self._kafka.changed.notify()
        await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._kafka.way_s())
            if self._stopping:
                return
            for where in list(self._read):
                self._hear(where)
            await self._kafka.changed.wait()

    def _hear(self, where: Partition) -> None:
        log = self._kafka.logs.get(where)
        if log is not None and self._read[where] < log.end:
            for run in runs_of(log.read(self._read[where], log.end)):
                self._reader.heard(*where, run.events)
            self._read[where] = log.end
        if where in self._loading:
            self._loading.discard(where)
            self._reader.caught_up(*where)


class SimulatedReach:
    """What one process is given; see `eventstream.worker.reach`.

    Attributes:
        member: The process's member of the group, once there is one.
    """

    def __init__(self, process: Process, kafka: SimulatedKafka, settings: WorkerSettings) -> None:
        self._process = process
        self._kafka = kafka
        self._settings = settings
        self.member: Member | None = None

    def reading(
        self,
        topics: Sequence[str],
        listener: Listener,
        bound: Bound,
        placed: Collection[str] = (),
    ) -> Member:
        """Make the group's member."""
        del topics
        drain_timeout_s = self._settings.drain_timeout_s
        self.member = Member(self._process, self._kafka, listener, bound, drain_timeout_s, placed)
        return self.member

    def following(self, reader: Reader) -> Follower:
        """Make what hears companions."""
        return Follower(self._kafka, reader)

    def sending(self) -> Pipe:
        """Make what the worker writes with."""
        return Pipe(self._kafka)

    async def topic_tag(self, topic: str) -> str:
        """Say which topic of that name there is now: there is but one."""
        await self._ask()
        return topic

    async def make_companion(self, companion: str, topic: str) -> None:
        """Make sure that a companion of a topic exists."""
        await self._ask()
        self._kafka.create_topic(companion, self._kafka.partitions_of(topic))

    async def fetch(
        self, topic: str, partition: int, offsets: Collection[int]
    ) -> dict[int, Received]:
        """Read records by their offsets."""
        await self._ask()
        records = self._kafka.logs[topic, partition].pick(offsets)
        return {event.offset: event for run in runs_of(records, topic) for event in run.events}

    async def _ask(self) -> None:
        await asyncio.sleep(self._kafka.way_s())
        if self._kafka.happens(self._kafka.faults.refused):
            raise KafkaUnavailable("Kafka is not there just now.")
