"""Values as fields of PostgreSQL's binary format, a column at a time; pure.

A field is its length in four bytes, and the type's binary form: the same in COPY's rows and in
arrays. Each codec writes many values in one go, as a batch has thousands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import Struct
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec

from eventstream.sinks.postgres.table import numeric

NULL = b"\xff\xff\xff\xff"
"""A field that is NULL."""
UNFIT = (ValueError, OverflowError, RecursionError, msgspec.DecodeError)
"""What a codec raises where a value does not fit."""

Encode = Callable[[Sequence[Any]], list[bytes]]


class Codec(NamedTuple):
    """How values of one kind are written as one type.

    Attributes:
        takes: What fits, in words.
        encode: Writes values, none of them `None`, as fields; raises one of `UNFIT`.
        decoded: What a JSON value is to be decoded as for it.
    """

    takes: str
    encode: Encode
    decoded: Any = None


_pack_2 = Struct("!ih").pack
_pack_4 = Struct("!ii").pack
_pack_8 = Struct("!iq").pack
_pack_float_4 = Struct("!if").pack
_pack_float_8 = Struct("!id").pack
_BOOLEANS = {False: b"\0\0\0\1\0", True: b"\0\0\0\1\1"}
_FIRST_DAY = date(2000, 1, 1).toordinal()
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_LOCAL = datetime(2000, 1, 1)  # noqa: DTZ001 - what a timestamp without time zone counts from
_FIRST_MS = 946_684_800_000
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST_US, _LATEST_US = -211_813_488_000_000_000, 9_223_371_331_200_000_000
_HEADER_BYTES = 4
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000").search
_raw: Any = msgspec.json.Decoder(msgspec.Raw).decode
_uuid = msgspec.json.Decoder(UUID).decode


def _integers(size: int, pack: Callable[[int, int], bytes]) -> Codec:
    most = (1 << 8 * size - 1) - 1
    return Codec(
        f"an integer from {-most - 1} to {most}",
        lambda values: [pack(size, value) for value in values],
        Annotated[int, msgspec.Meta(ge=-most - 1, le=most)],
    )


def _booleans(values: Sequence[bool]) -> list[bytes]:
    return [_BOOLEANS[value] for value in values]


def _floats_4(values: Sequence[float]) -> list[bytes]:
    return [_pack_float_4(4, value) for value in values]


def _floats_8(values: Sequence[float]) -> list[bytes]:
    return [_pack_float_8(8, value) for value in values]


def _numerics(values: Sequence[bytes]) -> list[bytes]:
    return [numeric.field(value) for value in values]


def _binaries(values: Sequence[bytes]) -> list[bytes]:
    return [len(value).to_bytes(4, "big") + value for value in values]


def _texts(values: Sequence[str]) -> list[bytes]:
    if "\0" in "".join(values):
        raise ValueError
    return _binaries([value.encode() for value in values])


def _padded_texts(values: Sequence[str]) -> list[bytes]:
    """Write texts whose spaces at the end count for nothing: equal ones alike."""
    return _texts([value.rstrip(" ") for value in values])


def _uuids(values: Sequence[UUID]) -> list[bytes]:
    return [b"\0\0\0\x10" + value.int.to_bytes(16, "big") for value in values]


def _dates(values: Sequence[date]) -> list[bytes]:
    return [_pack_4(4, value.toordinal() - _FIRST_DAY) for value in values]


def _moments(values: Sequence[datetime | float]) -> list[bytes]:
    try:
        return [_pack_8(8, (value - _FIRST_MOMENT) // _MICROSECOND) for value in values]  # type: ignore[operator] # see below
    except TypeError:  # a number is among them
        return [_pack_8(8, _microseconds(value)) for value in values]


def _local_moments(values: Sequence[datetime | float]) -> list[bytes]:
    return [_pack_8(8, _microseconds(value)) for value in values]


def _microseconds(value: datetime | float) -> int:
    """Count microseconds since 2000: a time without zone is as it is, others are UTC's."""
    if isinstance(value, datetime):
        first = _FIRST_LOCAL if value.tzinfo is None else _FIRST_MOMENT
        return (value - first) // _MICROSECOND
    passed = round(value * 1000) - _FIRST_MS * 1000
    if not _EARLIEST_US <= passed < _LATEST_US:
        raise ValueError
    return passed


def _jsons(values: Sequence[bytes]) -> list[bytes]:
    blob = b"\n".join(values)
    if not blob.isascii():
        blob.decode()
    return _binaries(values)


def _jsonbs(values: Sequence[bytes]) -> list[bytes]:
    blob = b"\n".join(values)
    if not blob.isascii():
        blob.decode()
    if rb"\u0000" in blob and any(map(_ESCAPED_NUL, values)):
        raise ValueError
    return [(len(text) + 1).to_bytes(4, "big") + b"\1" + text for text in values]


def _decoding(codec: Codec, decode: Callable[[bytes], Any]) -> Codec:
    """Return the codec of bytes that are read first."""
    return codec._replace(encode=lambda values: codec.encode([decode(value) for value in values]))


def _text(encode: Encode) -> Callable[[int], Codec]:
    def codec(modifier: int) -> Codec:
        longest = modifier - _HEADER_BYTES
        if longest < 0:
            return Codec("text without U+0000", encode, str)
        return Codec(
            f"text of at most {longest} characters without U+0000",
            encode,
            Annotated[str, msgspec.Meta(max_length=longest)],
        )

    return codec


def _bytes_as_text(of: Callable[[int], Codec]) -> Callable[[int], Codec]:
    def codec(modifier: int) -> Codec:
        texts = of(modifier)
        convert: Any = msgspec.convert
        return _decoding(
            texts._replace(takes=f"{texts.takes}, in UTF-8"),
            lambda value: convert(value.decode(), texts.decoded),
        )

    return codec


def _fixed(codec: Codec) -> Callable[[int], Codec]:
    return lambda _: codec


def _whole_json(encode: Encode) -> Encode:
    def encode_checked(values: Sequence[bytes]) -> list[bytes]:
        for value in values:
            _raw(value)
        return encode(values)

    return encode_checked


_INT_2, _INT_4, _INT_8 = _integers(2, _pack_2), _integers(4, _pack_4), _integers(8, _pack_8)
_TEXT, _CHARACTERS = _text(_texts), _text(_padded_texts)
_UUID = Codec("a UUID", _uuids, UUID)
_MOMENT = Codec(
    "a date and time with its offset from UTC (RFC 3339), or milliseconds since 1970",
    _moments,
    Annotated[datetime, msgspec.Meta(tz=True)] | int | float,
)
_LOCAL_MOMENT = Codec(
    "a date and time (RFC 3339, the offset from UTC may be left out), or milliseconds since 1970",
    _local_moments,
    datetime | int | float,
)
_JSON_TAKES, _JSONB_TAKES = "JSON in UTF-8", r"JSON in UTF-8 without \u0000"

FROM_JSON: dict[str, Callable[[int], Codec]] = {
    "bool": _fixed(Codec("true or false", _booleans, bool)),
    "int2": _fixed(_INT_2),
    "int4": _fixed(_INT_4),
    "int8": _fixed(_INT_8),
    "float4": _fixed(Codec("a number of single precision", _floats_4, float)),
    "float8": _fixed(Codec("a number of double precision", _floats_8, float)),
    "numeric": _fixed(Codec("a number, or one in a string", _numerics, msgspec.Raw)),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": _CHARACTERS,
    "bytea": _fixed(Codec("text in base64", _binaries, bytes)),
    "uuid": _fixed(_UUID),
    "date": _fixed(Codec("a date as 2024-12-31", _dates, date)),
    "timestamp": _fixed(_LOCAL_MOMENT),
    "timestamptz": _fixed(_MOMENT),
    "json": _fixed(Codec(_JSON_TAKES, _jsons, msgspec.Raw)),
    "jsonb": _fixed(Codec(_JSONB_TAKES, _jsonbs, msgspec.Raw)),
}
"""How a JSON value becomes each type, by the type's modifier."""

FROM_BYTES: dict[str, Callable[[int], Codec]] = {
    "text": _bytes_as_text(_TEXT),
    "varchar": _bytes_as_text(_TEXT),
    "bpchar": _bytes_as_text(_CHARACTERS),
    "bytea": _fixed(Codec("bytes", _binaries)),
    "int2": _fixed(_decoding(_INT_2, msgspec.json.Decoder(_INT_2.decoded).decode)),
    "int4": _fixed(_decoding(_INT_4, msgspec.json.Decoder(_INT_4.decoded).decode)),
    "int8": _fixed(_decoding(_INT_8, msgspec.json.Decoder(_INT_8.decoded).decode)),
    "uuid": _fixed(_decoding(_UUID, lambda value: _uuid(b'"%b"' % value))),
    "json": _fixed(Codec(_JSON_TAKES, _whole_json(_jsons))),
    "jsonb": _fixed(Codec(_JSONB_TAKES, _whole_json(_jsonbs))),
}
"""How a key, a header's value or a whole event becomes each type."""

FROM_TEXT = {"text": _TEXT, "varchar": _TEXT, "bpchar": _CHARACTERS}
FROM_INTEGER = {"int4": _fixed(_INT_4), "int8": _fixed(_INT_8)}
FROM_MILLISECONDS = {
    "timestamptz": _fixed(_MOMENT),
    "timestamp": _fixed(_LOCAL_MOMENT),
    "int8": _fixed(_INT_8),
}
FROM_JSON_TEXT = {"json": FROM_BYTES["json"], "jsonb": FROM_BYTES["jsonb"]}
