"""What v3 answers about the cluster, its brokers, topics and partitions; pure.

Source: `ClustersResource.java`, `TopicsResource.java`, `PartitionsResource.java`,
`BrokersResource.java`, the entities `*Data.java`, `UrlFactoryImpl.java`, `CrnFactoryImpl.java`.
Every link of Confluent's is there; those to what this gateway has not lead to a 404.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.log.cluster import Broker, ClusterDescription, Partition, Topic

    Resource = dict[str, Any]


class ResourcesV3:
    """Writes the resources of one cluster.

    Args:
        base_url: Where clients reach this gateway, as in their request: `http://host:port`.
        cluster: The cluster.
    """

    def __init__(self, base_url: str, cluster: ClusterDescription) -> None:
        self._base_url = base_url.rstrip("/")
        self._cluster = cluster
        self._id = cluster.cluster_id

    def clusters(self) -> Resource:
        """Answer `GET /v3/clusters`: the one there is."""
        return self._list("KafkaClusterList", self._url(cluster=False), [self.cluster()])

    def cluster(self) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}`."""
        controller = self._cluster.controller
        return {
            **self._resource("KafkaCluster"),
            "controller": self._link("brokers", controller) if controller >= 0 else None,
            "acls": self._link("acls"),
            "brokers": self._link("brokers"),
            "broker_configs": self._link("broker-configs"),
            "consumer_groups": self._link("consumer-groups"),
            "topics": self._link("topics"),
            "partition_reassignments": self._link("topics", "-", "partitions", "-", "reassignment"),
        }

    def brokers(self) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/brokers`."""
        found = [self.broker(broker) for broker in self._cluster.brokers]
        return self._list("KafkaBrokerList", self._url("brokers"), found)

    def broker(self, broker: Broker) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/brokers/{broker_id}`."""
        number = broker.broker_id
        return {
            **self._resource("KafkaBroker", broker=number),
            "broker_id": number,
            "host": broker.host,
            "port": broker.port,
            "rack": None,
            "configs": self._link("brokers", number, "configs"),
            "partition_replicas": self._link("brokers", number, "partition-replicas"),
        }

    def topics(self) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/topics`: all but Kafka's own."""
        found = [self.topic(topic) for topic in self._cluster.topics.values() if not topic.internal]
        return self._list("KafkaTopicList", self._url("topics"), found)

    def topic(self, topic: Topic) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/topics/{topic}`."""
        name = topic.topic
        return {
            **self._resource("KafkaTopic", topic=name),
            "topic_name": name,
            "is_internal": topic.internal,
            "replication_factor": len(topic.partitions[0].replicas) if topic.partitions else 0,
            "partitions_count": len(topic.partitions),
            "partitions": self._link("topics", name, "partitions"),
            "configs": self._link("topics", name, "configs"),
            "partition_reassignments": self._link(
                "topics", name, "partitions", "-", "reassignment"
            ),
            "authorized_operations": [],
        }

    def partitions(self, topic: Topic) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/topics/{topic}/partitions`."""
        found = [self.partition(topic, partition) for partition in topic.partitions]
        url = self._url("topics", topic.topic, "partitions")
        return self._list("KafkaPartitionList", url, found)

    def partition(self, topic: Topic, partition: Partition) -> Resource:
        """Answer `GET /v3/clusters/{cluster_id}/topics/{topic}/partitions/{partition_id}`."""
        name, number, leader = topic.topic, partition.partition, partition.leader
        here = ("topics", name, "partitions", number)
        return {
            **self._resource("KafkaPartition", topic=name, partition=number),
            "topic_name": name,
            "partition_id": number,
            "leader": self._link(*here, "replicas", leader) if leader >= 0 else None,
            "replicas": self._link(*here, "replicas"),
            "reassignment": self._link(*here, "reassignment"),
        }

    def _resource(self, kind: str, **within: str | int) -> Resource:
        """Write what every resource begins with; `within` names it inside the cluster."""
        path: list[str | int] = []
        name = f"crn:///kafka={self._id}"
        for noun, one in within.items():
            path += (f"{noun}s", one)
            name += f"/{noun}={one}"
        return {
            "kind": kind,
            "metadata": {"self": self._url(*path), "resource_name": name},
            "cluster_id": self._id,
        }

    def _list(self, kind: str, url: str, data: Iterable[Resource]) -> Resource:
        return {"kind": kind, "metadata": {"self": url, "next": None}, "data": list(data)}

    def _link(self, *path: str | int) -> Resource:
        return {"related": self._url(*path)}

    def _url(self, *path: str | int, cluster: bool = True) -> str:
        segments = ("v3", "clusters", *((self._id,) if cluster else ()), *path)
        return "/".join((self._base_url, *(quote(str(segment), safe="") for segment in segments)))
