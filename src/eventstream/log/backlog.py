"""A topic read from positions on, batch by batch, as fast as whoever asks takes them."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from eventstream.errors import NotAuthorized
from eventstream.log.faults import translate
from eventstream.log.live import NOT_IN_THE_LOG
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventstream.log.received import Run
    from eventstream.settings import KafkaSettings

BATCH_EVENTS = 500
POLL_S = 0.2
OPTIONS: Mapping[str, object] = {
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "queued.max.messages.kbytes": 4096,
    "fetch.queue.backoff.ms": 10,  # it would wait 1 s whenever that is full
}


class Batch(NamedTuple):
    """What one read gave.

    Attributes:
        runs: Events; those of one partition in order.
        ends: Partitions of which there is no more now, each with the offset that comes next: it
            may lie beyond the last event, where the log has markers of transactions.
        out_of_range: Partitions whose position is not in the log; nothing is read of them until
            `read_on` says where.
    """

    runs: Sequence[Run]
    ends: Mapping[int, int]
    out_of_range: Sequence[int]


class Backlog:
    """One reader; `read` and `close` block and may be called in any thread, also at once.

    Args:
        kafka: How to reach Kafka.
        topic: The topic.
        starts: Where each partition starts.
    """

    def __init__(self, kafka: KafkaSettings, topic: str, starts: Mapping[int, int]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._wanted = dict(starts)
        self._reading: set[int] = set()
        self._one_at_a_time = threading.Lock()
        self._consumer: Consumer | None = None
        self._closed = False

    def read_on(self, partition: int, offset: int) -> None:
        """Read a partition from another offset on, from the next `read` on."""
        self._wanted[partition] = offset

    def read(self) -> Batch:
        """Wait a moment for events, and return those that came.

        Raises:
            NotAuthorized: Kafka lets nobody with these credentials read the topic.
            InvalidSetting: The client refuses an option.
        """
        with self._one_at_a_time:
            if self._closed:
                return Batch((), {}, ())
            if self._consumer is None:
                self._consumer = connect_reader(self._kafka, OPTIONS)
            self._assign(self._consumer)
            return self._batch(self._consumer)

    def close(self) -> None:
        """Read no more."""
        with self._one_at_a_time:
            self._closed = True
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _assign(self, consumer: Consumer) -> None:
        wanted, self._wanted = self._wanted, {}
        again = self._reading & wanted.keys()
        if again:
            with contextlib.suppress(KafkaException):
                consumer.incremental_unassign([TopicPartition(self._topic, each) for each in again])
        if wanted:
            consumer.incremental_assign(
                [TopicPartition(self._topic, *start) for start in wanted.items()]
            )
            self._reading.update(wanted)

    def _batch(self, consumer: Consumer) -> Batch:
        message = consumer.poll(POLL_S)
        if message is None:
            return Batch((), {}, ())
        events = []
        ends: dict[int, int] = {}
        out_of_range: list[int] = []
        for each in (message, *consumer.consume(BATCH_EVENTS - 1, 0)):
            error = each.error()
            partition = each.partition() or 0
            if error is None:
                events.append(each)
            elif error.code() == KafkaError._PARTITION_EOF:
                ends[partition] = each.offset() or 0
            elif error.code() in NOT_IN_THE_LOG:
                out_of_range.append(partition)
            elif isinstance(ours := translate(error, self._topic), NotAuthorized):
                raise ours
        return Batch(list(runs_of(events, self._topic)), ends, out_of_range)
