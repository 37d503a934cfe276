"""Consumer groups: how far behind they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0


class Groups:
    """Asks about consumer groups; every call blocks until Kafka answered.

    Args:
        kafka: How to reach Kafka.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def lag(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """Count the events of each partition that the group has not committed.

        A partition without a commit counts from its oldest event.

        Raises:
            EventstreamError: Kafka did not answer, or refused.
        """
        places = [TopicPartition(topic, number) for number in range(partitions)]
        try:
            committed = self._committed(group, places)
            newest = self._offsets(places, OffsetSpec.latest())
            oldest = self._offsets(places, OffsetSpec.earliest())
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        return {
            number: newest[number] - max(committed.get(number, 0), oldest[number])
            for number in range(partitions)
        }

    def _committed(self, group: str, places: list[TopicPartition]) -> dict[int, int]:
        asked = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, places)], request_timeout=TIMEOUT_S
        )
        found = asked[group].result().topic_partitions
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def _offsets(self, places: list[TopicPartition], spec: OffsetSpec) -> dict[int, int]:
        asked = self._client.list_offsets(dict.fromkeys(places, spec), request_timeout=TIMEOUT_S)
        return {place.partition: found.result().offset for place, found in asked.items()}
