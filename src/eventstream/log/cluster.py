"""A cluster as its brokers describe it: brokers, topics, who holds and leads their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, OffsetSpec

from eventstream.log.admin_client import connect_admin
from eventstream.log.describe import offsets
from eventstream.log.faults import translate
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import TopicMetadata

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 5.0
_INTERNAL = frozenset({"__consumer_offsets", "__share_group_state", "__transaction_state"})


class Broker(NamedTuple):
    """A broker.

    Attributes:
        broker_id: Its node id.
        host: The host it is reached at by this client.
        port: The port there.
    """

    broker_id: int
    host: str
    port: int


class Partition(NamedTuple):
    """A partition.

    Attributes:
        partition: Its number.
        leader: The broker that leads it; -1 when none does.
        replicas: The brokers that hold it.
        in_sync: Those of them that are in sync.
    """

    partition: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class Topic(NamedTuple):
    """A topic.

    Attributes:
        topic: Its name.
        partitions: Its partitions, in order.
    """

    topic: str
    partitions: tuple[Partition, ...]

    @property
    def internal(self) -> bool:
        """Whether it is one of Kafka's own (`Topic.java`, `INTERNAL_TOPICS`)."""
        return self.topic in _INTERNAL


class ClusterDescription(NamedTuple):
    """A cluster.

    Attributes:
        cluster_id: The id its brokers' data folders bear.
        controller: The broker that takes the controller's requests; -1 when none does.
        brokers: In order of their ids.
        topics: By name, in order; those asked for.
    """

    cluster_id: str
    controller: int
    brokers: tuple[Broker, ...]
    topics: Mapping[str, Topic]


class ClusterInquiry:
    """Asks a cluster what it consists of; every call blocks until Kafka answered.

    Args:
        kafka: How to reach Kafka.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def describe(
        self, topic: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> ClusterDescription:
        """Describe the cluster with all its topics, or with one.

        Raises:
            TopicNotFound: There is no such topic.
            KafkaUnavailable: No broker answered within `timeout_s`.
        """
        found = metadata(self._client, timeout_s, topic)
        if topic is not None and (error := found.topics[topic].error) is not None:
            raise translate(error, topic)
        return ClusterDescription(
            str(found.cluster_id),
            found.controller_id,
            tuple(
                Broker(number, str(broker.host), int(broker.port or 0))
                for number, broker in sorted(found.brokers.items())
            ),
            {
                name: _topic(name, described)
                for name, described in sorted(found.topics.items())
                if described.error is None
            },
        )

    def settings(self, topic: str, timeout_s: float = TIMEOUT_S) -> dict[str, str | None]:
        """Return every setting in force for a topic, by Kafka's names; `None` is kept secret.

        Raises:
            TopicNotFound: There is no such topic.
            EventstreamError: Kafka did not answer in time, or refused.
        """
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        try:
            asked = self._client.describe_configs([resource], request_timeout=timeout_s)
            entries = asked[resource].result().values()
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        return {entry.name: entry.value for entry in sorted(entries, key=lambda entry: entry.name)}

    def offsets(self, topic: str, partition: int, timeout_s: float = TIMEOUT_S) -> tuple[int, int]:
        """Return a partition's oldest offset, and the one after its newest.

        Raises:
            EventstreamError: There is no such partition, or Kafka did not answer in time.
        """
        try:
            oldest = offsets(self._client, topic, [partition], OffsetSpec.earliest(), timeout_s)
            ends = offsets(self._client, topic, [partition], OffsetSpec.latest(), timeout_s)
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        return oldest[partition], ends[partition]


def _topic(name: str, described: TopicMetadata) -> Topic:
    return Topic(
        name,
        tuple(
            Partition(number, part.leader, tuple(part.replicas), tuple(part.isrs))
            for number, part in sorted(described.partitions.items())
        ),
    )
