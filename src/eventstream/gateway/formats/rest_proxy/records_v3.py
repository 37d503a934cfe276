"""One record of v3, from its JSON object to what goes to the log; pure.

Source: `v3/ProduceRequest.java`, `ProduceAction.java`, openapi.yaml (`ProduceRequest`,
`ProduceRequestData`, `ProduceRequestHeader`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec

from eventstream.gateway.formats.contract import Record
from eventstream.gateway.formats.rest_proxy import embedded
from eventstream.gateway.formats.rest_proxy.embedded import NULL, Unusable
from eventstream.gateway.formats.rest_proxy.integers import once_more
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eventstream.events import Headers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ABSENT = -1
_Partition = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Data(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["BINARY", "JSON", "STRING"]
    data: msgspec.Raw = NULL


class _SchemaData(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Data as Confluent takes it where a Schema Registry is configured."""

    type: Literal["BINARY", "JSON", "STRING", "AVRO", "JSONSCHEMA", "PROTOBUF"] | None = None
    subject: str | None = None
    subject_name_strategy: str | None = None
    schema_id: int | None = None
    schema_version: int | None = None
    schema: str | None = None
    data: msgspec.Raw = NULL


class _Header(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    value: msgspec.Raw = NULL


class Fields(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The object a client sends for one record."""

    partition_id: _Partition | None = None
    headers: list[_Header] | None = None
    key: _Data | None = None
    value: _Data | None = None
    timestamp: _Moment | None = None


class _SchemaFields(msgspec.Struct, gc=False):
    key: _SchemaData | None = None
    value: _SchemaData | None = None


class Draft(NamedTuple):
    """A record, and the part of its report that is known before it is published.

    Attributes:
        record: What goes to the log.
        sizes: The report's `key` and `value`, each after a comma.
    """

    record: Record
    sizes: bytes


_KEYS: Mapping[str, tuple[Callable[[bytes], bytes | None], bytes]] = {
    "BINARY": (embedded.binary, b',"key":{"type":"BINARY","size":%d}'),
    "JSON": (embedded.json_key, b',"key":{"type":"JSON","size":%d}'),
    "STRING": (embedded.string, b',"key":{"type":"STRING","size":%d}'),
}
_VALUES: Mapping[str, tuple[Callable[[bytes], bytes | None], bytes]] = {
    "BINARY": (embedded.binary, b',"value":{"type":"BINARY","size":%d}'),
    "JSON": (embedded.json_value, b',"value":{"type":"JSON","size":%d}'),
    "STRING": (embedded.string, b',"value":{"type":"STRING","size":%d}'),
}
_decode = msgspec.json.Decoder(Fields).decode
_decode_lax = msgspec.json.Decoder(Fields, strict=False).decode
_decode_schemas = msgspec.json.Decoder(_SchemaFields).decode
_validate = msgspec.json.Decoder(msgspec.Raw).decode


def usual_draft(text: bytes) -> Draft | None:
    """Read a text that is most likely one good record; `None` when it is anything else."""
    try:
        found = draft_of(_decode(text)) if text.isascii() else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, Draft) else None


def draft(text: bytes) -> Draft | Problem:
    """Read one record.

    Returns:
        The record, or what keeps this one object from being one.

    Raises:
        Rejected: The text is not JSON, so what follows it means nothing.
    """
    usual = usual_draft(text)
    if usual is not None:
        return usual
    check_json(text)
    try:
        return draft_of(_fields(text))
    except msgspec.ValidationError as error:
        return explain(text, error)


def _fields(text: bytes) -> Fields:
    try:
        return _decode(text)
    except msgspec.ValidationError as error:
        return once_more(_decode_lax, text, error)


def draft_of(fields: Fields) -> Draft | Problem:
    """Make the record of its fields, or say what keeps them from being one."""
    partition = fields.partition_id
    if partition is None:
        partition = -1
    elif partition < 0:
        detail = (
            f"The record's partition_id {partition} is negative; leave it out, or give another."
        )
        return Problem(404, "unknown-partition", detail)
    try:
        return _draft(fields, partition)
    except Unusable as reason:
        return Problem(400, "invalid-record", f"The record's {reason}.")


def _draft(fields: Fields, partition: int) -> Draft:
    key, value, moment = fields.key, fields.value, fields.timestamp
    key_bytes = value_bytes = None
    sizes = b""
    place = "key data"
    try:
        if key is not None:
            convert, told = _KEYS[key.type]
            key_bytes = convert(bytes(key.data))
            sizes = told % (_ABSENT if key_bytes is None else len(key_bytes))
        place = "value data"
        if value is not None:
            convert, told = _VALUES[value.type]
            value_bytes = convert(bytes(value.data))
            sizes += told % (_ABSENT if value_bytes is None else len(value_bytes))
        place = "header value"
        headers = _headers(fields.headers) if fields.headers else ()
        place = "timestamp"
        timestamp_ms = 0 if moment is None else _milliseconds(moment)
    except Unusable as reason:
        raise Unusable(f"{place} {reason}") from None
    return Draft(Record(value_bytes, key_bytes, headers, partition, timestamp_ms), sizes)


def explain(text: bytes, error: msgspec.ValidationError) -> Problem:
    """Say why a JSON text is no record: it needs a schema, or has not a record's shape."""
    try:
        fields = _decode_schemas(text)
    except msgspec.ValidationError:
        fields = _SchemaFields()
    for data in (fields.key, fields.value):
        if data is None or data.type in _KEYS:
            continue
        return Problem(
            422,
            "schemas-not-supported",
            "Payload error. Schema Registry must be configured when using schemas, and this gateway"
            ' has none; give the data a "type" of "BINARY", "JSON" or "STRING".',
        )
    return Problem(400, "invalid-record", f"The record is not a produce request of v3: {error}.")


def check_json(text: bytes) -> None:
    """Refuse what is not JSON in UTF-8.

    Raises:
        Rejected: It is not.
    """
    try:
        _validate(text)
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 at its byte {error.start}"
    except RecursionError:
        reason = "it is nested too deeply"
    except msgspec.DecodeError as error:
        reason = str(error)
    else:
        return
    raise Rejected(Problem(400, "invalid-json", f"The body, or a record, is not JSON: {reason}."))


def _headers(headers: list[_Header]) -> Headers:
    return tuple((header.name, embedded.binary(bytes(header.value))) for header in headers)


def _milliseconds(moment: datetime) -> int:
    passed = (moment - _EPOCH) // _MILLISECOND
    if passed <= 0:
        raise Unusable("is not after 1970-01-01T00:00:00Z")
    return passed
