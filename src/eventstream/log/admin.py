"""Topics and brokers: what there is, made and unmade."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.cimpl import NewTopic

from eventstream.errors import KafkaUnavailable
from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.leaders import wait_for_leaders
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0
_LOOK_PAUSE_S = 0.01


class Cluster(NamedTuple):
    """A cluster as one of its brokers describes it.

    Attributes:
        cluster_id: The id its brokers' data folders bear.
        brokers: Node ids of the brokers that are registered, in order.
    """

    cluster_id: str
    brokers: list[int]


class Admin:
    """Asks and changes a cluster's topics; every call blocks until Kafka answered.

    Args:
        kafka: How to reach Kafka.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def topics(self, timeout_s: float = TIMEOUT_S) -> dict[str, int]:
        """Topic names, Kafka's internal ones left out, and how many partitions each has.

        Raises:
            KafkaUnavailable: No broker answered within `timeout_s`.
        """
        found = self._metadata(timeout_s).topics
        return {
            name: len(topic.partitions)
            for name, topic in sorted(found.items())
            if not name.startswith("__") and topic.error is None
        }

    def cluster(self, timeout_s: float = TIMEOUT_S) -> Cluster:
        """Return which cluster answers, and with which brokers.

        Raises:
            KafkaUnavailable: No broker answered within `timeout_s`.
        """
        found = self._metadata(timeout_s)
        return Cluster(str(found.cluster_id), sorted(found.brokers))

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication: int = -1,
        config: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Create a topic and wait until every partition has a leader.

        Args:
            name: The topic's name.
            partitions: How many partitions.
            replication: Copies of each partition; -1 is the cluster's default.
            config: The topic's own settings, as Kafka spells them (`retention.ms`).
            timeout_s: How long Kafka may take.

        Raises:
            EventstreamError: The topic exists already, a setting is wrong, or Kafka did not
                answer in time.
        """
        deadline = time.monotonic() + timeout_s
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication,
            config=dict(config or {}),
        )
        asked = self._client.create_topics([topic], request_timeout=timeout_s)
        self._wait(asked, name)
        self._look(
            name,
            lambda found: (
                len(found.partitions) == partitions
                and all(partition.leader >= 0 for partition in found.partitions.values())
            ),
            deadline,
        )
        wait_for_leaders(self._client, {name: partitions}, deadline - time.monotonic())

    def delete_topic(self, name: str, timeout_s: float = TIMEOUT_S) -> None:
        """Delete a topic and wait until the broker asked no longer lists it.

        Raises:
            TopicNotFound: There is no such topic.
            KafkaUnavailable: Kafka did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        asked = self._client.delete_topics([name], request_timeout=timeout_s)
        self._wait(asked, name)
        self._look(name, lambda found: found.error is not None, deadline)

    def _metadata(self, timeout_s: float, topic: str | None = None) -> ClusterMetadata:
        return metadata(self._client, timeout_s, topic)

    def _wait(self, asked: Mapping[str, Any], topic: str) -> None:
        try:
            asked[topic].result()
        except KafkaException as error:
            raise translate(error.args[0], topic) from None

    def _look(self, name: str, seen: Callable[[TopicMetadata], bool], deadline: float) -> None:
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise KafkaUnavailable(
                    f"Topic {name!r}: Kafka took the change but does not show it yet; look again."
                )
            if seen(self._metadata(left_s, name).topics[name]):
                return
            time.sleep(_LOOK_PAUSE_S)
