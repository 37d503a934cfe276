"""Kafka in memory: topics, and one consumer group."""

from __future__ import annotations

import asyncio
import zlib
from contextvars import Context
from typing import TYPE_CHECKING

from eventstream.errors import KafkaUnavailable, OutcomeUnknown
from eventstream.events import Receipt
from eventstream.testing.changed import Changed
from eventstream.testing.group import Group
from eventstream.testing.partition import PartitionLog

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

    from eventstream.events import Headers
    from eventstream.log.listener import Partition
    from eventstream.testing.faults import Faults
    from eventstream.testing.loop import VirtualLoop

LONGEST_WAY_S = 0.02


class SimulatedKafka:
    """What all processes share.

    Args:
        loop: Where everything happens.
        chance: How long things take, and what goes wrong.
        faults: How often things go wrong.
        subscribed: The topics that the group reads.

    Attributes:
        loop: Where everything happens.
        chance: How long things take, and what goes wrong.
        faults: How often things go wrong; replaced when they are to end.
        subscribed: The topics that the group reads.
        logs: The partitions.
        changed: Tells that something was written, or that the group is another one.
        group: The members and the positions.
    """

    def __init__(
        self, loop: VirtualLoop, chance: Random, faults: Faults, subscribed: Collection[str]
    ) -> None:
        self.loop = loop
        self.chance = chance
        self.faults = faults
        self.subscribed = subscribed
        self.logs: dict[Partition, PartitionLog] = {}
        self.changed = Changed()
        self.group = Group(self)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.chance.random() < probability

    def way_s(self) -> float:
        """How long a message is on its way."""
        return self.chance.random() * LONGEST_WAY_S

    def create_topic(self, topic: str, partitions: int) -> None:
        """Make a topic, if it is not there."""
        for partition in range(partitions):
            self.logs.setdefault((topic, partition), PartitionLog(topic, partition))

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has; 0 when it is not there."""
        return sum(name == topic for name, _ in self.logs)

    def append(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers = (),
        partition: int = -1,
        gap: int = 0,
    ) -> Receipt:
        """Write a record now."""
        self.create_topic(topic, 1)
        if partition < 0:
            partition = zlib.crc32(key or b"") % self.partitions_of(topic)
        log = self.logs[topic, partition]
        offset = log.append(value, key, headers, self.loop.time(), gap)
        self.changed.notify()
        return Receipt(topic, partition, offset)


class Pipe:
    """One producer's way to the log: records of a process arrive in the order they were sent."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka
        self._arrives_s = 0.0

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers = (),
        partition: int = -1,
    ) -> Receipt:
        """Write an event; see `Outbox`.

        Raises:
            KafkaUnavailable: It was not written.
            OutcomeUnknown: It was, but nobody told.
        """
        kafka, loop = self._kafka, self._kafka.loop
        answer: asyncio.Future[Receipt] = loop.create_future()

        def arrive() -> None:
            receipt = kafka.append(topic, value, key, headers, partition)
            loop.call_later(kafka.way_s(), _answer, answer, receipt, context=Context())

        if kafka.happens(kafka.faults.refused):
            await asyncio.sleep(kafka.way_s())
            raise KafkaUnavailable("Kafka is not there just now.")
        self._arrives_s = max(self._arrives_s, loop.time() + kafka.way_s())
        loop.call_at(self._arrives_s, arrive, context=Context())
        receipt = await answer
        if kafka.happens(kafka.faults.unanswered):
            raise OutcomeUnknown("Kafka did not answer; the event may be written.")
        return receipt

    async def close(self) -> None:
        """What was sent arrives anyway."""


def _answer(answer: asyncio.Future[Receipt], receipt: Receipt) -> None:
    if not answer.done():
        answer.set_result(receipt)
