"""What v2 answers about topics, partitions and brokers; pure.

Source: `v2/GetTopicResponse.java`, `v2/GetPartitionResponse.java`,
`v2/TopicPartitionOffsetResponse.java`, `v2/BrokerList.java`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.log.cluster import ClusterDescription, Partition, Topic


def brokers(cluster: ClusterDescription) -> dict[str, Any]:
    """Answer `GET /brokers`."""
    return {"brokers": [broker.broker_id for broker in cluster.brokers]}


def topics(cluster: ClusterDescription) -> list[str]:
    """Answer `GET /topics`: all but Kafka's own."""
    return [name for name, topic in cluster.topics.items() if not topic.internal]


def topic(described: Topic, settings: Mapping[str, str | None]) -> dict[str, Any]:
    """Answer `GET /topics/{topic}`."""
    return {
        "name": described.topic,
        "configs": dict(settings),
        "partitions": partitions(described),
    }


def partitions(described: Topic) -> list[dict[str, Any]]:
    """Answer `GET /topics/{topic}/partitions`."""
    return [partition(one) for one in described.partitions]


def partition(described: Partition) -> dict[str, Any]:
    """Answer `GET /topics/{topic}/partitions/{partition}`."""
    return {
        "partition": described.partition,
        "leader": described.leader,
        "replicas": [
            {
                "broker": broker,
                "leader": broker == described.leader,
                "in_sync": broker in described.in_sync,
            }
            for broker in described.replicas
        ],
    }


def offsets(oldest: int, end: int) -> dict[str, int]:
    """Answer `GET /topics/{topic}/partitions/{partition}/offsets`."""
    return {"beginning_offset": oldest, "end_offset": end}
