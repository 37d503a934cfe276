"""Reading a topic without a group: for people who look, not for handlers."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from eventstream.log.faults import translate
from eventstream.log.places import extents, offsets_at, partitions_of
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from eventstream.log.received import Received, Run
    from eventstream.log.start import Start
    from eventstream.settings import KafkaSettings

BATCH_EVENTS = 1000
POLL_S = 0.2
_offset = attrgetter("offset")


class Tail:
    """A topic's events from a place on, as they come.

    Events of one partition come in order; nothing is committed anywhere.

    Args:
        kafka: How to reach Kafka.
        topic: The topic.
        start: Where to start.
        partition: The only partition to read; all when left out.

    Raises:
        TopicNotFound: There is no such topic.
        PartitionNotFound: The topic has no such partition.
        EventstreamError: Kafka did not answer, or refused.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, start: Start, partition: int | None = None
    ) -> None:
        self._topic = topic
        self._consumer = connect_reader(kafka)
        try:
            reach = extents(self._consumer, topic, partitions_of(self._consumer, topic, partition))
            starts = offsets_at(self._consumer, topic, start, reach)
            self._consumer.assign([TopicPartition(topic, *place) for place in starts.items()])
        except KafkaException as error:
            self._consumer.close()
            raise translate(error.args[0], topic) from None
        self._ends = {each: one.end for each, one in reach.items()}
        self._unread = {each for each, end in self._ends.items() if end > starts[each]}

    def batches(self, *, until_end: bool = False) -> Iterator[Sequence[Received]]:
        """Wait for events, over and over.

        Args:
            until_end: Stop after the last event there was when reading began.

        Yields:
            Events of one partition; an empty list once all that came was given.

        Raises:
            EventstreamError: Kafka refuses.
        """
        while self._unread or not until_end:
            messages = []
            for message in self._consumer.consume(BATCH_EVENTS, POLL_S):
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._unread.discard(message.partition() or 0)
                elif not error.retriable():
                    raise translate(error, self._topic)
            for run in runs_of(messages, self._topic):
                yield self._before_end(run) if until_end else run.events
            yield []

    def _before_end(self, run: Run) -> Sequence[Received]:
        """Leave out what came after reading began, and note when that is reached."""
        end = self._ends[run.partition]
        if run.events[-1].offset + 1 >= end:
            self._unread.discard(run.partition)
        return run.events[: bisect_left(run.events, end, key=_offset)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
