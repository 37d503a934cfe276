"""The REST Proxy's v2 metadata, described; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.openapi.operations import (
    EVERY_CALLER,
    Content,
    Operation,
    Parameter,
    Reply,
)
from eventstream.gateway.openapi.parameters import number, topic
from eventstream.gateway.openapi.refusals import ASKING_KAFKA, EVERY_USER, V2

if TYPE_CHECKING:
    from eventstream.gateway.openapi.operations import Schema

_TAG = "REST Proxy v2"


class BrokersV2(msgspec.Struct, forbid_unknown_fields=True):
    """The brokers' numbers."""

    brokers: list[int]


class ReplicaV2(msgspec.Struct, forbid_unknown_fields=True):
    """A replica of a partition."""

    broker: int
    leader: bool
    in_sync: bool


class PartitionV2(msgspec.Struct, forbid_unknown_fields=True):
    """A partition; -1 leads one that nobody leads now."""

    partition: int
    leader: int
    replicas: list[ReplicaV2]


class TopicV2(msgspec.Struct, forbid_unknown_fields=True):
    """A topic, with every setting in force for it."""

    name: str
    configs: dict[str, str | None]
    partitions: list[PartitionV2]


class OffsetsV2(msgspec.Struct, forbid_unknown_fields=True):
    """A partition's oldest offset, and the one after its newest."""

    beginning_offset: int
    end_offset: int


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    of_topic = (topic(default_topic),)
    of_partition = (*of_topic, number("partition"))
    names: Schema = {"type": "array", "items": {"type": "string"}}
    partitions: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/PartitionV2"}}
    one = "/topics/{topic}"
    return (
        _get("/brokers", "brokersV2", "List the brokers", BrokersV2),
        _get("/topics", "topicsV2", "List the topics", names),
        _get(one, "topicV2", "Describe a topic", TopicV2, of_topic),
        _get(
            f"{one}/partitions", "partitionsV2", "List a topic's partitions", partitions, of_topic
        ),
        _get(
            f"{one}/partitions/{{partition}}",
            "partitionV2",
            "Describe a partition",
            PartitionV2,
            of_partition,
        ),
        _get(
            f"{one}/partitions/{{partition}}/offsets",
            "offsetsV2",
            "Tell a partition's first and last offsets",
            OffsetsV2,
            of_partition,
        ),
    )


def _get(
    path: str, name: str, summary: str, answer: Schema, parameters: tuple[Parameter, ...] = ()
) -> Operation:
    problems = (*ASKING_KAFKA, "unknown-partition") if parameters else ASKING_KAFKA
    return Operation(
        "get",
        path,
        name,
        _TAG,
        summary,
        "Kafka is asked for it.",
        (Reply(200, "As Kafka has it now.", {V2.media_type: Content(answer)}),),
        V2,
        problems,
        parameters,
        callers=EVERY_USER if parameters else EVERY_CALLER,
    )
