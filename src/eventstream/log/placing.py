"""Partitions whose position is kept elsewhere than in Kafka: they wait until they are placed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaException, TopicPartition

from eventstream.log.commits import as_kafkas
from eventstream.log.faults import translate
from eventstream.log.listener import NOWHERE, Position
from eventstream.log.lookout import LOOKUP_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from confluent_kafka import Consumer as KafkaConsumer

    from eventstream.log.listener import Partition, Positions

log = structlog.get_logger(__name__)

_AGAIN_S = 0.05
"""How soon is tried again what Kafka, or the client, did not do yet."""


class Placing:
    """Belongs to the thread that owns the consumer; `place` alone is called in the loop.

    Args:
        topics: Whose partitions wait.
        from_beginning: Where one begins that has no committed position.
    """

    def __init__(self, topics: Collection[str], *, from_beginning: bool) -> None:
        self._topics = frozenset(topics)
        self._from_beginning = from_beginning
        self._unknown: set[Partition] = set()
        self._waiting: set[Partition] = set()
        self._wishes: dict[Partition, int] = {}
        self._not_before_s = 0.0

    def place(self, partition: Partition, offset: int) -> None:
        """Wish for a partition to be read from an offset on."""
        self._wishes[partition] = offset

    # Everything below runs in the thread.

    @property
    def is_due(self) -> bool:
        """Whether there is something to do."""
        return bool(self._wishes or self._unknown) and time.monotonic() >= self._not_before_s

    def assigned(self, partitions: Iterable[Partition]) -> list[Partition]:
        """Take partitions that were assigned; return those that have to wait."""
        waiting = [where for where in partitions if where[0] in self._topics]
        self._unknown.update(waiting)
        self._waiting.update(waiting)
        return waiting

    def left(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that are another process's."""
        for where in partitions:
            self._unknown.discard(where)
            self._waiting.discard(where)
            self._wishes.pop(where, None)

    def without_waiting(self, assigned: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Leave out those that wait."""
        return [one for one in assigned if (one.topic, one.partition) not in self._waiting]

    def find_starts(self, consumer: KafkaConsumer) -> Positions:
        """Say where partitions that were assigned would begin, of those that Kafka tells about."""
        starts: Positions = {}
        if not self._unknown:
            return starts
        try:
            for one in consumer.committed(
                as_kafkas(dict.fromkeys(self._unknown, NOWHERE)), LOOKUP_TIMEOUT_S
            ):
                offset = one.offset
                if offset < 0:
                    first, end = consumer.get_watermark_offsets(one, LOOKUP_TIMEOUT_S)
                    offset = first if self._from_beginning else end
                starts[one.topic, one.partition] = Position(offset)
        except KafkaException as error:
            problem = str(translate(error.args[0]))
            log.warning("where to begin is not known; asked again", problem=problem)
            self._later()
        self._unknown.difference_update(starts)
        return starts

    def seek(self, consumer: KafkaConsumer, *, is_paused: bool) -> Positions:
        """Have partitions read from where they are wished to be; return those that are.

        Args:
            consumer: Reads them.
            is_paused: Whether nothing is read now, so that they are not resumed.
        """
        placed: Positions = {}
        for where, offset in list(self._wishes.items()):
            one = TopicPartition(*where, offset)
            try:
                consumer.seek(one)
            except KafkaException:
                self._later()  # the client has not begun with the partition yet
                continue
            del self._wishes[where]
            self._waiting.discard(where)
            if not is_paused:
                consumer.resume([one])
            placed[where] = Position(offset)
        return placed

    def _later(self) -> None:
        self._not_before_s = time.monotonic() + _AGAIN_S
