"""Reading with nothing of ours on top: what the client alone can do, to compare with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from eventstream.log.consumer_options import consumer_options
from eventstream.settings import WorkerSettings

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings

BATCH = 2000
POLL_S = 1.0


def drain(kafka: KafkaSettings, topic: str, partitions: int, count: int) -> float:
    """Read the first `count` events of a topic with plain `consume()`, and drop them.

    The client is set up as a worker's is: its defaults would have it wait a second each time it has
    read ahead enough.

    Returns:
        Seconds from the first batch to the last.
    """
    consumer = Consumer(consumer_options(kafka, WorkerSettings(), "consumer"))
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    seen = 0
    while not seen:
        seen = len(consumer.consume(BATCH, POLL_S))
    began = time.perf_counter()
    while seen < count:
        seen += len(consumer.consume(min(BATCH, count - seen), POLL_S))
    took_s = time.perf_counter() - began
    consumer.close()
    return took_s
