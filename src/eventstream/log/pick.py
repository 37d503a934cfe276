"""Records that somebody knows the places of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, TopicPartition

from eventstream.errors import KafkaUnavailable
from eventstream.log.faults import translate
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from eventstream.log.received import Received
    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0
BATCH_EVENTS = 1000


def pick(
    kafka: KafkaSettings, topic: str, partition: int, offsets: Collection[int]
) -> dict[int, Received]:
    """Read the records at these offsets; blocks.

    Returns:
        Those that are still there, by offset.

    Raises:
        EventstreamError: Kafka did not answer in time, or refused.
    """
    missing = set(offsets)
    consumer = connect_reader(kafka)
    found: dict[int, Received] = {}
    last = max(missing)
    read = -1
    deadline = time.monotonic() + TIMEOUT_S
    try:
        consumer.assign([TopicPartition(topic, partition, min(missing))])
        while read < last:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise KafkaUnavailable(f"Topic {topic!r}: Kafka did not answer; try again.")
            messages = []
            for message in consumer.consume(BATCH_EVENTS, min(0.1, left_s)):
                error = message.error()
                if error is None:
                    messages.append(message)
                    deadline = time.monotonic() + TIMEOUT_S
                elif error.code() == KafkaError._PARTITION_EOF:
                    read = last
                elif not error.retriable():
                    raise translate(error, topic)
            for run in runs_of(messages, topic):
                read = max(read, run.events[-1].offset)
                found.update((one.offset, one) for one in run.events if one.offset in missing)
    finally:
        consumer.close()
    return found
