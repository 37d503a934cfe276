"""v2 produce, `POST /topics/{topic}` and `/topics/{topic}/partitions/{partition}`; pure.

Source: `ProduceToTopicAction.java`, `AbstractProduceAction.java`, `v2/ProduceRequest.java`,
`v2/ProduceResponse.java`. Data that cannot be what the media type says refuses the request as a
whole, before anything is published; what Kafka says of a record is told in its place, in a 200.
Strimzi's `headers` and `timestamp` of a record are taken too (`HttpJsonMessageConverter.java`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from eventstream.gateway.answers import Answer
from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.formats.rest_proxy import embedded
from eventstream.gateway.formats.rest_proxy.embedded import NULL, Unusable
from eventstream.gateway.formats.rest_proxy.error_codes import (
    AUTHORIZATION,
    V2_TYPE,
    code_in_v2,
    refusal_in_v2,
)
from eventstream.gateway.formats.rest_proxy.integers import once_more
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventstream.events import Headers
    from eventstream.gateway.formats.contract import Outcome
    from eventstream.gateway.formats.rest_proxy.target import Target

    Embedded = Callable[[bytes], bytes | None]

_FIELDS = ((b"content-type", V2_TYPE),)
_FORBIDDEN = 403
_Partition = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]


class _Header(msgspec.Struct, gc=False):
    key: str
    value: msgspec.Raw = NULL


class _ProduceRecord(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: msgspec.Raw = NULL
    key: msgspec.Raw = NULL
    partition: _Partition | None = None
    headers: list[_Header] | None = None
    timestamp: _Milliseconds | None = None


class _ProduceRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    records: list[_ProduceRecord] | None = None
    key_schema_id: int | None = None
    key_schema: str | None = None
    value_schema_id: int | None = None
    value_schema: str | None = None


_decode = msgspec.json.Decoder(_ProduceRequest).decode
_decode_lax = msgspec.json.Decoder(_ProduceRequest, strict=False).decode
_UNKNOWN_FIELD = "Object contains unknown field"


class BatchV2:
    """The records of one request.

    Attributes:
        records: In the body's order.
    """

    __slots__ = ("records",)

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Tell each record's partition and offset, or its error; 403 when Kafka forbade one."""
        status = 200
        entries: list[bytes] = []
        for outcome in outcomes:
            if isinstance(outcome, Placed):
                entries.append(
                    b'{"partition":%d,"offset":%d,"error_code":null,"error":null}' % outcome[:2]
                )
                continue
            code = code_in_v2(outcome)
            if code == AUTHORIZATION:
                status = _FORBIDDEN
            entries.append(
                b'{"partition":null,"offset":null,"error_code":%d,"error":%b}'
                % (code, msgspec.json.encode(outcome.detail))
            )
        return Answer(
            status,
            _FIELDS,
            b'{"offsets":[%b],"key_schema_id":null,"value_schema_id":null}' % b",".join(entries),
        )


class ProduceV2:
    """Takes `{"records": [{"partition", "key", "value"}]}`.

    Args:
        key: Makes a record's key of the JSON text it is embedded as.
        value: The same for its value.
    """

    __slots__ = ("_key", "_value")

    def __init__(self, key: Embedded, value: Embedded) -> None:
        self._key = key
        self._value = value

    def decode(self, route: Target, body: bytes) -> BatchV2:
        """Take the records out of the body.

        Raises:
            Rejected: It is not a produce request, or a key, value or header is not what the media
                type says.
        """
        found = _read(body)
        records: list[Record] = []
        place = "key"
        try:
            for record in found:
                place = "key"
                key = self._key(bytes(record.key))
                place = "value"
                value = self._value(bytes(record.value))
                partition = record.partition
                place = "headers"
                records.append(
                    Record(
                        value,
                        key,
                        _headers(record.headers) if record.headers else (),
                        route.partition if partition is None else partition,
                        record.timestamp or 0,
                    )
                )
        except Unusable as reason:
            raise Rejected(
                Problem(
                    400,
                    "invalid-record",
                    f"The {place} of records[{len(records)}] {reason}. Nothing was published;"
                    " correct it and send the request again.",
                )
            ) from None
        return BatchV2(records)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with `error_code` and `message`."""
        return refusal_in_v2(problem)


JSON_V2 = ProduceV2(embedded.json_key, embedded.json_value)
BINARY_V2 = ProduceV2(embedded.binary, embedded.binary)


def _read(body: bytes) -> list[_ProduceRecord]:
    try:
        if not body.isascii():
            body.decode()
        records = _request(body).records
    except UnicodeDecodeError as error:
        raise _malformed(f"it is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except msgspec.ValidationError as error:
        status = 422 if str(error).startswith(_UNKNOWN_FIELD) else 400
        detail = f"The body is not a produce request of v2: {error}."
        raise Rejected(Problem(status, "invalid-request", detail)) from None
    except msgspec.DecodeError as error:
        raise _malformed(str(error)) from None
    if not records:
        detail = 'The body has no records; give at least one, as {"records": [{"value": ...}]}.'
        raise Rejected(Problem(422, "no-records", detail))
    return records


def _request(body: bytes) -> _ProduceRequest:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        return once_more(_decode_lax, body, error)


def _malformed(reason: str) -> Rejected:
    return Rejected(Problem(400, "invalid-json", f"The body is not JSON: {reason}."))


def _headers(headers: list[_Header]) -> Headers:
    return tuple((header.key, embedded.binary(bytes(header.value))) for header in headers)
