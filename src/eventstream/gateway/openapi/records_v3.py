"""The REST Proxy's v3 produce, described; pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eventstream.gateway.openapi.operations import Content, Operation, Reply
from eventstream.gateway.openapi.parameters import cluster, topic
from eventstream.gateway.openapi.records_v2 import Bytes, Partition
from eventstream.gateway.openapi.refusals import EVERY_WRITER, PUBLISHING, V3

_TAG = "REST Proxy v3"
_JSON = "application/json"
_PATH = "/v3/clusters/{cluster_id}/topics/{topic}/records"


class BinaryData(msgspec.Struct, tag_field="type", tag="BINARY", forbid_unknown_fields=True):
    """Bytes in base64."""

    data: Bytes | None = None


class JsonData(msgspec.Struct, tag_field="type", tag="JSON", forbid_unknown_fields=True):
    """Any JSON."""

    data: Any = None


class StringData(msgspec.Struct, tag_field="type", tag="STRING", forbid_unknown_fields=True):
    """A text, which is written in UTF-8."""

    data: str | None = None


class RecordHeaderV3(msgspec.Struct, forbid_unknown_fields=True):
    """A record header; names may repeat."""

    name: str
    value: Bytes | None = None


Data = BinaryData | JsonData | StringData
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class RecordV3(msgspec.Struct, forbid_unknown_fields=True):
    """One record; without a value, or with null data, it is a tombstone."""

    partition_id: Partition | None = None
    headers: list[RecordHeaderV3] | None = None
    key: Data | None = None
    value: Data | None = None
    timestamp: Moment | None = None


class EntryV3(RecordV3, forbid_unknown_fields=True, kw_only=True):
    """A record of a batch; its id is answered with."""

    id: Annotated[str, Meta(pattern="^[0-9a-zA-Z_-]{1,80}$")]


class BatchV3(msgspec.Struct, forbid_unknown_fields=True):
    """Records, each with an id of its own."""

    entries: Annotated[list[EntryV3], Meta(min_length=1)]


class DataReport(msgspec.Struct, forbid_unknown_fields=True):
    """The size of a key or a value in bytes; -1 is none."""

    type: Literal["BINARY", "JSON", "STRING"]
    size: Annotated[int, Meta(ge=-1)]


class _Reported(msgspec.Struct, forbid_unknown_fields=True):
    cluster_id: str
    topic_name: str
    partition_id: int
    offset: int
    timestamp: Moment | UnsetType = UNSET
    key: DataReport | UnsetType = UNSET
    value: DataReport | UnsetType = UNSET


class RecordReport(_Reported, forbid_unknown_fields=True, kw_only=True):
    """Where a record stands."""

    error_code: Literal[200]


class RecordFailure(msgspec.Struct, forbid_unknown_fields=True):
    """Why a record does not stand in the log, or may not."""

    error_code: Annotated[int, Meta(ge=400)]
    message: str


class EntryReport(_Reported, forbid_unknown_fields=True, kw_only=True):
    """Where an entry's record stands."""

    id: str


class EntryFailure(RecordFailure, forbid_unknown_fields=True, kw_only=True):
    """Why an entry's record does not stand in the log, or may not."""

    id: str


class BatchReport(msgspec.Struct, forbid_unknown_fields=True):
    """What became of a batch's entries."""

    successes: list[EntryReport]
    failures: list[EntryFailure]


_RECORD = {"value": {"type": "JSON", "data": {"message": "Hello, Kafka!"}}}
_PROBLEMS = (*PUBLISHING, "unsupported-charset", "unsupported-media-type")


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    one_by_one = Operation(
        "post",
        _PATH,
        "produceV3",
        _TAG,
        "Produce records, each with its report",
        "The body is one record, or several one after another, with or without white space between:"
        " the schema is that of each. The answer is a report for each, in their order, while the"
        " request still comes. The status is 200 even where a record is invalid: its report says"
        " so, as an answer would, or with 422 that there is no schema registry. The cluster's"
        " id is repeated, and not looked at.",
        (Reply(200, "A report for each record.", {_JSON: Content((RecordReport, RecordFailure))}),),
        V3,
        (*_PROBLEMS, "empty-body"),
        (cluster(), topic(default_topic)),
        {_JSON: Content(RecordV3, {"hello": _RECORD})},
        EVERY_WRITER,
    )
    batch = one_by_one._replace(
        path=_PATH + ":batch",
        id="produceBatchV3",
        summary="Produce records, with one report for all",
        description="The ids are checked before anything is published; what becomes of each entry"
        " is told by its id.",
        replies=(Reply(207, "What became of each entry.", {_JSON: Content(BatchReport)}),),
        problems=(*_PROBLEMS, "invalid-batch", "invalid-json", "invalid-request"),
        body={_JSON: Content(BatchV3, {"hello": {"entries": [{"id": "1", **_RECORD}]}})},
    )
    return one_by_one, batch
