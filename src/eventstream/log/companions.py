"""Topics that stand beside another one: as many partitions, room for larger records, no end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewPartitions
from confluent_kafka.cimpl import NewTopic

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.leaders import wait_for_leaders
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0
_MADE_BY_ANOTHER = frozenset({KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS})


def make_companion(kafka: KafkaSettings, companion: str, topic: str, more_bytes: int) -> None:
    """Make sure that a companion exists and has as many partitions as its topic; blocks.

    Its records are kept for ever; who sees to them deletes them.

    Args:
        kafka: How to reach Kafka.
        companion: The companion's name.
        topic: The topic it stands beside.
        more_bytes: How much larger than the topic's its records may be.

    Raises:
        EventstreamError: Kafka did not answer in time, or refused.
    """
    client = connect_admin(kafka)
    partitions = _partitions(client, topic)
    found = metadata(client, TIMEOUT_S, companion).topics[companion]
    asked: dict[str, Any] = {}
    try:
        if found.error is not None:
            largest = _largest_record(client, topic) + more_bytes
            config = {"retention.ms": "-1", "max.message.bytes": str(largest)}
            new = NewTopic(companion, partitions, -1, config=config)
            asked = client.create_topics([new], request_timeout=TIMEOUT_S)
        elif len(found.partitions) < partitions:
            grown = NewPartitions(companion, partitions)
            asked = client.create_partitions([grown], request_timeout=TIMEOUT_S)
        for answer in asked.values():
            answer.result()
    except KafkaException as error:
        if error.args[0].code() not in _MADE_BY_ANOTHER:
            raise translate(error.args[0], companion) from None
    wait_for_leaders(client, {companion: partitions}, TIMEOUT_S)


def _partitions(client: AdminClient, topic: str) -> int:
    found = metadata(client, TIMEOUT_S, topic).topics[topic]
    if found.error is not None:
        raise translate(found.error, topic)
    return len(found.partitions)


def _largest_record(client: AdminClient, topic: str) -> int:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    asked = client.describe_configs([resource], request_timeout=TIMEOUT_S)
    return int(asked[resource].result()["max.message.bytes"].value)
