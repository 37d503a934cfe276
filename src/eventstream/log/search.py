"""Records found by one of their headers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from eventstream.errors import KafkaUnavailable
from eventstream.log.faults import translate
from eventstream.log.places import extents, partitions_of
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from confluent_kafka import Consumer

    from eventstream.log.received import Received
    from eventstream.settings import KafkaSettings

Read = TypeVar("Read")

TIMEOUT_S = 10.0
BATCH_EVENTS = 1000
POLL_S = 0.1


class Hit(NamedTuple):
    """Where a record stands that has the header."""

    partition: int
    offset: int
    timestamp_ms: int


def search(
    kafka: KafkaSettings,
    topic: str,
    starts: Mapping[int, int],
    header: str,
    read: Callable[[bytes | None], Read | None],
) -> list[tuple[Read, Hit]]:
    """Read a topic up to its end as it is now, and return what headers say; blocks.

    Records of open and of aborted transactions are read as well.

    Args:
        kafka: How to reach Kafka.
        topic: The topic.
        starts: Where to start in each partition; one that is left out is read whole, and so is one
            that has no such offset any more.
        header: The header's name.
        read: Reads the header's value; `None` where the record is not wanted.

    Returns:
        What was read, and where, in the order of each partition.

    Raises:
        EventstreamError: Kafka did not answer for ten seconds, or refused.
    """
    consumer = connect_reader(kafka, {"isolation.level": "read_uncommitted"})
    hits = []
    try:
        for event in _events(consumer, topic, starts):
            for name, value in event.headers:
                if name == header and (found := read(value)) is not None:
                    hits.append((found, Hit(event.partition, event.offset, event.timestamp_ms)))
    except KafkaException as error:
        raise translate(error.args[0], topic) from None
    finally:
        consumer.close()
    return hits


def _events(consumer: Consumer, topic: str, starts: Mapping[int, int]) -> Iterator[Received]:
    """Yield what lies between the starts and the ends there are now."""
    reach = extents(consumer, topic, partitions_of(consumer, topic))
    begin = {
        number: start if one.oldest <= (start := starts.get(number, 0)) <= one.end else one.oldest
        for number, one in reach.items()
    }
    unread = {number for number, one in reach.items() if begin[number] < one.end}
    consumer.assign([TopicPartition(topic, number, begin[number]) for number in unread])
    deadline = time.monotonic() + TIMEOUT_S
    while unread:
        messages = []
        for message in consumer.consume(BATCH_EVENTS, POLL_S):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition() or 0)
            elif not error.retriable():
                raise translate(error, topic)
        for run in runs_of(messages, topic):
            if run.events[-1].offset + 1 >= reach[run.partition].end:
                unread.discard(run.partition)
            yield from run.events
        deadline = _next_deadline(topic, messages, deadline)


def _next_deadline(topic: str, came: Sequence[object], deadline: float) -> float:
    now = time.monotonic()
    if came:
        return now + TIMEOUT_S
    if now > deadline:
        raise KafkaUnavailable(f"Topic {topic!r}: Kafka did not answer; try again.")
    return deadline
