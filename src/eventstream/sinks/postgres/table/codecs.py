"""What a column takes, and how it is made the type's binary form, a column at a time; pure.

Each codec converts many values in one go, as a batch has thousands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from operator import sub
from struct import Struct
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec

from eventstream.sinks.postgres.table import numeric
from eventstream.sinks.postgres.table.layout import Form

UNFIT = (ValueError, OverflowError, RecursionError, msgspec.DecodeError)
"""What a codec raises where a value does not fit."""

Convert = Callable[[Sequence[Any]], Sequence[Any]]


class Codec(NamedTuple):
    """How values of one kind are written as one type.

    Attributes:
        takes: What fits, in words.
        form: How they stand in a field.
        convert: Makes values what the form writes. Raises one of `UNFIT` where one does not fit,
            and `TypeError` where one is `None`.
        decoded: What a JSON value is to be decoded as for it.
    """

    takes: str
    form: Form
    convert: Convert
    decoded: Any = None


_BYTES = Form()
_JSONB = Form(head=b"\1")
_MICROSECONDS = Form("q", 8)
_float_4 = Struct("!f")
_FIRST_DAY = date(2000, 1, 1).toordinal()
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_LOCAL = datetime(2000, 1, 1)  # noqa: DTZ001 - what a timestamp without time zone counts from
_FIRST_MS = 946_684_800_000
_EARLIEST_US, _LATEST_US = -211_813_488_000_000_000, 9_223_371_331_200_000_000
_HEADER_BYTES = 4
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000").search
_raw: Any = msgspec.json.Decoder(msgspec.Raw).decode
_uuid = msgspec.json.Decoder(UUID).decode


def _as_they_are(values: Sequence[Any]) -> Sequence[Any]:
    if None in values:
        raise TypeError
    return values


def _integers(code: str, size: int) -> Codec:
    most = (1 << 8 * size - 1) - 1
    return Codec(
        f"an integer from {-most - 1} to {most}",
        Form(code, size),
        _as_they_are,
        Annotated[int, msgspec.Meta(ge=-most - 1, le=most)],
    )


def _floats_4(values: Sequence[float]) -> list[float]:
    """Round them as the server will: what is too large is found here."""
    return [_float_4.unpack(_float_4.pack(value))[0] for value in _as_they_are(values)]


def _numerics(values: Sequence[bytes]) -> list[bytes]:
    return [numeric.binary(value) for value in _as_they_are(values)]


def _texts(values: Sequence[str]) -> list[bytes]:
    texts = list(map(str.encode, values))
    if b"\0" in b"".join(texts):
        raise ValueError
    return texts


def _padded_texts(values: Sequence[str]) -> list[bytes]:
    """Write texts whose spaces at the end count for nothing: equal ones alike."""
    return [text.rstrip(b" ") for text in _texts(values)]


def _uuids(values: Sequence[UUID]) -> list[bytes]:
    return [value.bytes for value in _as_they_are(values)]


def _dates(values: Sequence[date]) -> list[int]:
    return [value.toordinal() - _FIRST_DAY for value in _as_they_are(values)]


def _moments(values: Sequence[datetime | float]) -> list[int]:
    try:
        passed: Any = list(map(sub, values, repeat(_FIRST_MOMENT)))
    except TypeError:  # a number is among them, or None
        return _local_moments(values)
    return [(each.days * 86_400 + each.seconds) * 1_000_000 + each.microseconds for each in passed]


def _local_moments(values: Sequence[datetime | float]) -> list[int]:
    return [_microseconds(value) for value in values]


def _microseconds(value: datetime | float) -> int:
    """Count microseconds since 2000: a time without zone is as it is, others are UTC's."""
    if isinstance(value, datetime):
        first = _FIRST_LOCAL if value.tzinfo is None else _FIRST_MOMENT
        return (value - first) // timedelta(microseconds=1)
    passed = round(value * 1000) - _FIRST_MS * 1000
    if not _EARLIEST_US <= passed < _LATEST_US:
        raise ValueError
    return passed


def _jsons(values: Sequence[bytes]) -> Sequence[bytes]:
    _check_utf_8(b"\n".join(values))
    return values


def _jsonbs(values: Sequence[bytes]) -> Sequence[bytes]:
    blob = b"\n".join(values)
    _check_utf_8(blob)
    # A backslash alone is found ten times as fast.
    if b"\\" in blob and rb"\u0000" in blob and any(map(_ESCAPED_NUL, values)):
        raise ValueError
    return values


def _check_utf_8(blob: bytes) -> None:
    if not blob.isascii():
        blob.decode()


def _decoding(codec: Codec, decode: Callable[[bytes], Any]) -> Codec:
    """Return the codec of bytes that are read first."""
    return codec._replace(
        convert=lambda values: codec.convert([decode(value) for value in _as_they_are(values)])
    )


def _text(convert: Convert) -> Callable[[int], Codec]:
    def codec(modifier: int) -> Codec:
        longest = modifier - _HEADER_BYTES
        if longest < 0:
            return Codec("text without U+0000", _BYTES, convert, str)
        return Codec(
            f"text of at most {longest} characters without U+0000",
            _BYTES,
            convert,
            Annotated[str, msgspec.Meta(max_length=longest)],
        )

    return codec


def _bytes_as_text(of: Callable[[int], Codec]) -> Callable[[int], Codec]:
    def codec(modifier: int) -> Codec:
        texts = of(modifier)
        check: Any = msgspec.convert
        return _decoding(
            texts._replace(takes=f"{texts.takes}, in UTF-8"),
            lambda value: check(value.decode(), texts.decoded),
        )

    return codec


def _fixed(codec: Codec) -> Callable[[int], Codec]:
    return lambda _: codec


def _whole_json(convert: Convert) -> Convert:
    def convert_checked(values: Sequence[bytes]) -> Sequence[bytes]:
        for value in _as_they_are(values):
            _raw(value)
        return convert(values)

    return convert_checked


_INT_2, _INT_4, _INT_8 = _integers("h", 2), _integers("i", 4), _integers("q", 8)
_TEXT, _CHARACTERS = _text(_texts), _text(_padded_texts)
_UUID = Codec("a UUID", _BYTES, _uuids, UUID)
_MOMENT = Codec(
    "a date and time with its offset from UTC (RFC 3339), or milliseconds since 1970",
    _MICROSECONDS,
    _moments,
    Annotated[datetime, msgspec.Meta(tz=True)] | int | float,
)
_LOCAL_MOMENT = Codec(
    "a date and time (RFC 3339, the offset from UTC may be left out), or milliseconds since 1970",
    _MICROSECONDS,
    _local_moments,
    datetime | int | float,
)
_JSON_TAKES, _JSONB_TAKES = "JSON in UTF-8", r"JSON in UTF-8 without \u0000"

FROM_JSON: dict[str, Callable[[int], Codec]] = {
    "bool": _fixed(Codec("true or false", Form("b", 1), _as_they_are, bool)),
    "int2": _fixed(_INT_2),
    "int4": _fixed(_INT_4),
    "int8": _fixed(_INT_8),
    "float4": _fixed(Codec("a number of single precision", Form("f", 4), _floats_4, float)),
    "float8": _fixed(Codec("a number of double precision", Form("d", 8), _as_they_are, float)),
    "numeric": _fixed(Codec("a number, or one in a string", _BYTES, _numerics, msgspec.Raw)),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": _CHARACTERS,
    "bytea": _fixed(Codec("text in base64", _BYTES, _as_they_are, bytes)),
    "uuid": _fixed(_UUID),
    "date": _fixed(Codec("a date as 2024-12-31", Form("i", 4), _dates, date)),
    "timestamp": _fixed(_LOCAL_MOMENT),
    "timestamptz": _fixed(_MOMENT),
    "json": _fixed(Codec(_JSON_TAKES, _BYTES, _jsons, msgspec.Raw)),
    "jsonb": _fixed(Codec(_JSONB_TAKES, _JSONB, _jsonbs, msgspec.Raw)),
}
"""How a JSON value becomes each type, by the type's modifier."""

FROM_BYTES: dict[str, Callable[[int], Codec]] = {
    "text": _bytes_as_text(_TEXT),
    "varchar": _bytes_as_text(_TEXT),
    "bpchar": _bytes_as_text(_CHARACTERS),
    "bytea": _fixed(Codec("bytes", _BYTES, _as_they_are)),
    "int2": _fixed(_decoding(_INT_2, msgspec.json.Decoder(_INT_2.decoded).decode)),
    "int4": _fixed(_decoding(_INT_4, msgspec.json.Decoder(_INT_4.decoded).decode)),
    "int8": _fixed(_decoding(_INT_8, msgspec.json.Decoder(_INT_8.decoded).decode)),
    "uuid": _fixed(_decoding(_UUID, lambda value: _uuid(b'"%b"' % value))),
    "json": _fixed(Codec(_JSON_TAKES, _BYTES, _whole_json(_jsons))),
    "jsonb": _fixed(Codec(_JSONB_TAKES, _JSONB, _whole_json(_jsonbs))),
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
