"""What a consumer looks for now and then: where its partitions end, which of its topics miss."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Consumer as KafkaConsumer
    from confluent_kafka import KafkaError

    from eventstream.log.listener import Partition

INTERVAL_S = 1.0
TOPICS_INTERVAL_S = 60.0
LOOKUP_TIMEOUT_S = 5.0


class Lookout:
    """Belongs to the thread that owns the consumer; `ends` may be read in others.

    Args:
        topics: What is subscribed to.
        judge: Called with what Kafka says of a topic, and the topic; groups of KIP-848 are not told
            of topics that are not there.

    Attributes:
        ends: One more than each partition's last offset, as last heard.
    """

    def __init__(self, topics: Sequence[str], judge: Callable[[KafkaError, str], None]) -> None:
        self.ends: dict[Partition, int] = {}
        self._topics = topics
        self._judge = judge
        self._due_s = 0.0
        self._topics_due_s = time.monotonic() + INTERVAL_S

    def put_topics_off(self) -> None:
        """Do not ask about topics for a while: nobody answers."""
        self._topics_due_s = time.monotonic() + TOPICS_INTERVAL_S

    def look(self, consumer: KafkaConsumer) -> None:
        """Look around if it is time."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + INTERVAL_S
        assigned = consumer.assignment()
        ends = {}
        for one in assigned:
            with contextlib.suppress(KafkaException):
                _, end = consumer.get_watermark_offsets(one, cached=True)
                ends[one.topic, one.partition] = end
        self.ends = ends
        if now_s >= self._topics_due_s:
            self.put_topics_off()
            for topic in {*self._topics}.difference(one.topic for one in assigned):
                with contextlib.suppress(KafkaException):
                    error = consumer.list_topics(topic, LOOKUP_TIMEOUT_S).topics[topic].error
                    if error is not None:
                        self._judge(error, topic)
