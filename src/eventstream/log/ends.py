"""Where a topic ends now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings

TIMEOUT_S = 5.0


class Ends:
    """Asks for the end offsets of topics; one client for all questions.

    Args:
        kafka: How to reach Kafka.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def of(self, topic: str, partitions: int) -> dict[int, int]:
        """Return one more than the newest offset of each partition; blocks, callable anywhere.

        Args:
            topic: The topic.
            partitions: How many it has.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        wanted: dict[TopicPartition, Any] = {
            TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)
        }
        asked = self._client.list_offsets(wanted, request_timeout=TIMEOUT_S)
        try:
            return {place.partition: answer.result().offset for place, answer in asked.items()}
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
