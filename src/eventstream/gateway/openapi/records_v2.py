"""The REST Proxy's v2 produce, described; pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from eventstream.gateway.openapi.operations import Content, Operation, Reply
from eventstream.gateway.openapi.parameters import number, topic
from eventstream.gateway.openapi.refusals import EVERY_WRITER, PUBLISHING, V2

_TAG = "REST Proxy v2"
Bytes = Annotated[
    str, Meta(pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?$")
]
Partition = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class RecordHeaderV2(msgspec.Struct):
    """A record header, as Strimzi's bridge takes it."""

    key: str
    value: Bytes | None = None


class _RecordV2(msgspec.Struct, forbid_unknown_fields=True):
    partition: Partition | None = None
    headers: list[RecordHeaderV2] | None = None
    timestamp: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class JsonRecordV2(_RecordV2, forbid_unknown_fields=True):
    """A record whose key and value are JSON; a null value is a tombstone."""

    key: Any = None
    value: Any = None


class BinaryRecordV2(_RecordV2, forbid_unknown_fields=True):
    """A record whose key and value are bytes in base64; a null value is a tombstone."""

    key: Bytes | None = None
    value: Bytes | None = None


class _SchemasV2(msgspec.Struct, forbid_unknown_fields=True):
    key_schema_id: int | None = None
    key_schema: str | None = None
    value_schema_id: int | None = None
    value_schema: str | None = None


class JsonRecordsV2(_SchemasV2, forbid_unknown_fields=True, kw_only=True):
    """Records in JSON; what is said of schemas is passed over."""

    records: Annotated[list[JsonRecordV2], Meta(min_length=1)]


class BinaryRecordsV2(_SchemasV2, forbid_unknown_fields=True, kw_only=True):
    """Records in base64; what is said of schemas is passed over."""

    records: Annotated[list[BinaryRecordV2], Meta(min_length=1)]


class RecordOffset(msgspec.Struct, forbid_unknown_fields=True):
    """Where a record stands, or why it does not."""

    partition: int | None
    offset: int | None
    error_code: int | None
    error: str | None


class RecordOffsets(msgspec.Struct, forbid_unknown_fields=True):
    """What became of each record, in the request's order."""

    offsets: list[RecordOffset]
    key_schema_id: None
    value_schema_id: None


_ANSWER = {V2.media_type: Content(RecordOffsets)}
_REPLIES = (
    Reply(200, "Each record's partition and offset, or its error.", _ANSWER),
    Reply(403, "The same, where Kafka does not let the gateway write.", _ANSWER),
)
_BODY = {
    "application/vnd.kafka.json.v2+json": Content(
        JsonRecordsV2,
        {"json": {"records": [{"key": "c-7", "value": {"message": "Hello, Kafka!"}}]}},
    ),
    "application/vnd.kafka.binary.v2+json": Content(
        BinaryRecordsV2, {"binary": {"records": [{"key": "Yy03", "value": "SGVsbG8sIEthZmthIQ=="}]}}
    ),
}
_PROBLEMS = (
    *PUBLISHING,
    "invalid-json",
    "invalid-record",
    "invalid-request",
    "no-records",
    "unsupported-media-type",
)


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    to_topic = Operation(
        "post",
        "/topics/{topic}",
        "produceV2",
        _TAG,
        "Produce records to a topic",
        "A record may name its partition. Headers and timestamps are those of Strimzi's bridge.",
        _REPLIES,
        V2,
        _PROBLEMS,
        (topic(default_topic),),
        _BODY,
        EVERY_WRITER,
    )
    to_partition = to_topic._replace(
        path="/topics/{topic}/partitions/{partition}",
        id="producePartitionV2",
        summary="Produce records to a partition",
        parameters=(topic(default_topic), number("partition")),
    )
    return to_topic, to_partition
