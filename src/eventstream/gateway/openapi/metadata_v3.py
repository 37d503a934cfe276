"""The REST Proxy's v3 metadata, described; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from eventstream.gateway.openapi.operations import EVERY_CALLER, Content, Operation, Reply
from eventstream.gateway.openapi.parameters import cluster, number, topic
from eventstream.gateway.openapi.refusals import ASKING_KAFKA, EVERY_USER, V3

if TYPE_CHECKING:
    from eventstream.gateway.openapi.operations import Parameter

_TAG = "REST Proxy v3"
_CLUSTER = "/v3/clusters/{cluster_id}"
_FOUND = "$response.body#/data/0/"


class Link(msgspec.Struct, forbid_unknown_fields=True):
    """Where more stands."""

    related: str


class Place(msgspec.Struct, rename={"here": "self"}, forbid_unknown_fields=True):
    """Where the resource stands, and its name."""

    here: str
    resource_name: str


class PlaceOfList(msgspec.Struct, rename={"here": "self"}, forbid_unknown_fields=True):
    """Where the list stands; there is never a next page."""

    here: str
    next: None


class ClusterV3(msgspec.Struct, forbid_unknown_fields=True):
    """A cluster."""

    kind: Literal["KafkaCluster"]
    metadata: Place
    cluster_id: str
    controller: Link | None
    acls: Link
    brokers: Link
    broker_configs: Link
    consumer_groups: Link
    topics: Link
    partition_reassignments: Link


class BrokerV3(msgspec.Struct, forbid_unknown_fields=True):
    """A broker."""

    kind: Literal["KafkaBroker"]
    metadata: Place
    cluster_id: str
    broker_id: int
    host: str | None
    port: int | None
    rack: str | None
    configs: Link
    partition_replicas: Link


class TopicV3(msgspec.Struct, forbid_unknown_fields=True):
    """A topic."""

    kind: Literal["KafkaTopic"]
    metadata: Place
    cluster_id: str
    topic_name: str
    is_internal: bool
    replication_factor: int
    partitions_count: int
    partitions: Link
    configs: Link
    partition_reassignments: Link
    authorized_operations: list[str]


class PartitionV3(msgspec.Struct, forbid_unknown_fields=True):
    """A partition."""

    kind: Literal["KafkaPartition"]
    metadata: Place
    cluster_id: str
    topic_name: str
    partition_id: int
    leader: Link | None
    replicas: Link
    reassignment: Link


class _List(msgspec.Struct, forbid_unknown_fields=True):
    metadata: PlaceOfList


class ClusterListV3(_List, forbid_unknown_fields=True, kw_only=True):
    """The one cluster there is."""

    kind: Literal["KafkaClusterList"]
    data: list[ClusterV3]


class BrokerListV3(_List, forbid_unknown_fields=True, kw_only=True):
    """The cluster's brokers."""

    kind: Literal["KafkaBrokerList"]
    data: list[BrokerV3]


class TopicListV3(_List, forbid_unknown_fields=True, kw_only=True):
    """The cluster's topics, but for Kafka's own."""

    kind: Literal["KafkaTopicList"]
    data: list[TopicV3]


class PartitionListV3(_List, forbid_unknown_fields=True, kw_only=True):
    """A topic's partitions."""

    kind: Literal["KafkaPartitionList"]
    data: list[PartitionV3]


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    here = (cluster(),)
    of_topic = (*here, topic(default_topic))
    named = f"{_CLUSTER}/topics/{{topic}}"
    one = f"{named}/partitions/{{partition}}"
    return (
        _get("/v3/clusters", "clustersV3", "List the clusters", ClusterListV3, links=_LINKS),
        _get(_CLUSTER, "clusterV3", "Describe the cluster", ClusterV3, here),
        _get(
            f"{_CLUSTER}/brokers",
            "brokersV3",
            "List the brokers",
            BrokerListV3,
            here,
            {"broker": ("brokerV3", _of_list(broker="broker_id"))},
        ),
        _get(
            f"{_CLUSTER}/brokers/{{broker}}",
            "brokerV3",
            "Describe a broker",
            BrokerV3,
            (*here, number("broker")),
        ),
        _get(f"{_CLUSTER}/topics", "topicsV3", "List the topics", TopicListV3, here),
        _get(named, "topicV3", "Describe a topic", TopicV3, of_topic),
        _get(
            f"{named}/partitions",
            "partitionsV3",
            "List a topic's partitions",
            PartitionListV3,
            of_topic,
            {"partition": ("partitionV3", _of_list(topic="topic_name", partition="partition_id"))},
        ),
        _get(
            one,
            "partitionV3",
            "Describe a partition",
            PartitionV3,
            (*of_topic, number("partition")),
        ),
    )


def _of_list(**members: str) -> dict[str, str]:
    """Find parameters in the first element of a list."""
    return {
        name: _FOUND + member for name, member in {"cluster_id": "cluster_id", **members}.items()
    }


_LINKS: dict[str, tuple[str, dict[str, str]]] = {
    "cluster": ("clusterV3", _of_list()),
    "brokers": ("brokersV3", _of_list()),
    "topics": ("topicsV3", _of_list()),
}


def _get(
    path: str,
    name: str,
    summary: str,
    answer: type,
    parameters: tuple[Parameter, ...] = (),
    links: Any = None,
) -> Operation:
    problems: tuple[str, ...] = ASKING_KAFKA
    if parameters:
        problems = (*problems, "no-such-broker", "no-such-cluster", "no-such-partition")
    of_topic = any(parameter.name == "topic" for parameter in parameters)
    return Operation(
        "get",
        path,
        name,
        _TAG,
        summary,
        "Kafka is asked for it.",
        (Reply(200, "As Kafka has it now.", {V3.media_type: Content(answer)}, links=links or {}),),
        V3,
        problems,
        parameters,
        callers=EVERY_USER if of_topic else EVERY_CALLER,
    )
