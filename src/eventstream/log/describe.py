"""One topic, as its brokers describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, ConfigSource, OffsetSpec

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0


class PartitionDescription(msgspec.Struct, frozen=True):
    """One partition.

    Attributes:
        partition: Its number.
        leader: The broker that leads it; -1 when none does.
        replicas: The brokers that hold it.
        in_sync: Those of them that are in sync.
        oldest: The offset of its oldest event; -1 when nobody leads it.
        end: One more than the offset of its newest event; -1 when nobody leads it.
    """

    partition: int
    leader: int
    replicas: list[int]
    in_sync: list[int]
    oldest: int
    end: int


class TopicDescription(msgspec.Struct, frozen=True):
    """A topic.

    Attributes:
        topic: Its name.
        partitions: Its partitions, in order.
        settings: The settings made for this topic alone, as Kafka spells them.
    """

    topic: str
    partitions: list[PartitionDescription]
    settings: dict[str, str]


def describe_topic(
    kafka: KafkaSettings, topic: str, timeout_s: float = TIMEOUT_S
) -> TopicDescription:
    """Describe a topic; blocks until Kafka answered.

    Raises:
        TopicNotFound: There is no such topic.
        EventstreamError: Kafka did not answer in time, or refused.
    """
    client = connect_admin(kafka)
    found = metadata(client, timeout_s, topic).topics[topic]
    if found.error is not None:
        raise translate(found.error, topic)
    led = [number for number, part in sorted(found.partitions.items()) if part.leader >= 0]
    try:
        oldest = offsets(client, topic, led, OffsetSpec.earliest(), timeout_s)
        ends = offsets(client, topic, led, OffsetSpec.latest(), timeout_s)
        settings = _own_settings(client, topic, timeout_s)
    except KafkaException as error:
        raise translate(error.args[0], topic) from None
    return TopicDescription(
        topic,
        [
            PartitionDescription(
                number,
                part.leader,
                list(part.replicas),
                list(part.isrs),
                oldest.get(number, -1),
                ends.get(number, -1),
            )
            for number, part in sorted(found.partitions.items())
        ],
        settings,
    )


def offsets(
    client: AdminClient, topic: str, partitions: list[int], spec: OffsetSpec, timeout_s: float
) -> dict[int, int]:
    """Ask for one offset of each partition.

    Raises:
        KafkaException: Kafka did not answer in time, or refused.
    """
    places: Any = {TopicPartition(topic, number): spec for number in partitions}
    if not places:
        return {}
    asked = client.list_offsets(places, request_timeout=timeout_s)
    return {place.partition: answer.result().offset for place, answer in asked.items()}


def _own_settings(client: AdminClient, topic: str, timeout_s: float) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    asked = client.describe_configs([resource], request_timeout=timeout_s)
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    entries = asked[resource].result().values()
    return {entry.name: entry.value for entry in entries if entry.source == own}
