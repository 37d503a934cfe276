"""What a topic is now: its identity, its partitions, how far they reach."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.places import Extent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 5.0
_TAG_BYTES = 6


class Shape(NamedTuple):
    """A topic's identity and size.

    Attributes:
        tag: Eight characters of the id that Kafka gave the topic when it was created: a topic
            created anew under the same name has another one. Letters, digits, hyphens and
            underscores.
        partitions: How many partitions it has; they count from 0.
    """

    tag: str
    partitions: int


class Lookups:
    """Asks a cluster about topics; every call blocks until Kafka answered, in whichever thread.

    Args:
        kafka: How to reach Kafka.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def shape(self, topic: str) -> Shape:
        """Find a topic.

        Raises:
            TopicNotFound: There is no such topic.
            EventstreamError: Kafka did not answer in time, or refused.
        """
        asked = self._client.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)
        try:
            found = asked[topic].result()
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        high = found.topic_id.get_most_significant_bits() % 2**64
        tag = base64.urlsafe_b64encode(high.to_bytes(8, "big")[:_TAG_BYTES]).decode()
        return Shape(tag, len(found.partitions))

    def extents(self, topic: str, partitions: Iterable[int]) -> dict[int, Extent]:
        """Find how far partitions reach.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        numbers = list(partitions)
        oldest = self._offsets(topic, numbers, OffsetSpec.earliest())
        ends = self._offsets(topic, numbers, OffsetSpec.latest())
        return {each: Extent(oldest[each], ends[each]) for each in numbers}

    def offsets_at(
        self, topic: str, partitions: Iterable[int], timestamp_ms: int
    ) -> dict[int, int]:
        """Find each partition's first event that is not older; -1 where none is so new.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        return self._offsets(topic, partitions, OffsetSpec.for_timestamp(timestamp_ms))

    def _offsets(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        places: dict[TopicPartition, Any] = {
            TopicPartition(topic, each): spec for each in partitions
        }
        asked = self._client.list_offsets(places, request_timeout=TIMEOUT_S)
        try:
            return {place.partition: answer.result().offset for place, answer in asked.items()}
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
