"""Record batches, magic 2; pure.

Source: kafka.apache.org/documentation, "Record Batch" and "Record".
"""

from __future__ import annotations

import struct
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c

from eventstream.log.native.primitives import TABLE, VARINTS, Reader, varint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.events import Headers

BATCH_HEAD_BYTES = 61
_BEFORE_CRC = struct.Struct(">qiibI")
_AFTER_CRC = struct.Struct(">hiqqqhii")
_LENGTH_COUNTS_FROM = 12
_MAGIC = 2
_NO_LEADER_EPOCH = -1
_NULL = b"\1"
_NO_HEADERS = b"\0"
_SHORT_NUMBERS = 64
"""Numbers below this are VARINTs of one byte; those below `TABLE` are of two or three."""


class Identity(NamedTuple):
    """What an idempotent producer is known by (KIP-98)."""

    id: int
    epoch: int


NO_IDENTITY = Identity(-1, -1)


class Stored(NamedTuple):
    """One record as it was put into a batch.

    Attributes:
        value: The data, or `None`.
        key: The key, or `None`.
        headers: Record headers, in order.
        timestamp_ms: Milliseconds since the epoch.
    """

    value: bytes | None
    key: bytes | None
    headers: Headers
    timestamp_ms: int


def encode_record(
    number: int, delta_ms: int, value: bytes | None, key: bytes | None, headers: Headers
) -> bytes:
    """Write one record.

    Args:
        number: Its place in the batch, below `TABLE`.
        delta_ms: Its time, from the batch's first one on.
        value: The data, or `None`.
        key: The key, or `None`.
        headers: Record headers, in order.
    """
    record = b"".join(
        (
            b"\0",
            varint(delta_ms),
            VARINTS[number],
            _NULL if key is None else varint(len(key)) + key,
            _NULL if value is None else varint(len(value)) + value,
            _headers(headers) if headers else _NO_HEADERS,
        )
    )
    return varint(len(record)) + record


def encode_records(
    number: int, delta_ms: int, values: Sequence[bytes], key: bytes | None, headers: Headers
) -> bytes:
    """Write records that are alike but for their values, at a tenth of a microsecond each.

    Args:
        number: The place of the first; the last has to be below `TABLE`.
        delta_ms: Their time, from the batch's first one on.
        values: Their data.
        key: Their key, or `None`.
        headers: Their headers.
    """
    lengths = list(map(len, values))
    if max(lengths, default=0) >= TABLE:
        return b"".join(
            encode_record(place, delta_ms, value, key, headers)
            for place, value in enumerate(values, number)
        )
    before = b"\0" + varint(delta_ms)
    after = _NULL if key is None else varint(len(key)) + key
    tail = _headers(headers) if headers else _NO_HEADERS
    common = len(before) + len(after) + len(tail)
    end = number + len(values)
    short = max(0, min(end, _SHORT_NUMBERS) - number)
    middle = max(short, min(end, _SHORT_NUMBERS * 128) - number)
    sizes = chain(
        map(_sizes(common + 1).__getitem__, lengths[:short]),
        map(_sizes(common + 2).__getitem__, lengths[short:middle]),
        map(_sizes(common + 3).__getitem__, lengths[middle:]),
    )
    columns = zip(
        sizes,
        repeat(before),
        VARINTS[number:end],
        repeat(after),
        map(VARINTS.__getitem__, lengths),
        values,
        repeat(tail),
        strict=False,
    )
    return b"".join(map(b"".join, columns))


def encode_batch(
    records: bytes,
    count: int,
    identity: Identity,
    sequence: int,
    first_ms: int,
    last_ms: int,
) -> bytes:
    """Put a batch's head before its records.

    Args:
        records: What `encode_record` and `encode_records` wrote, joined.
        count: How many they are.
        identity: Whose they are.
        sequence: The first one's sequence number.
        first_ms: What the records' times count from.
        last_ms: The latest of them.
    """
    head = _AFTER_CRC.pack(
        0, count - 1, first_ms, last_ms, identity.id, identity.epoch, sequence, count
    )
    crc = google_crc32c.extend(google_crc32c.value(head), records)
    length = BATCH_HEAD_BYTES - _LENGTH_COUNTS_FROM + len(records)
    return _BEFORE_CRC.pack(0, length, _NO_LEADER_EPOCH, _MAGIC, crc) + head + records


def decode_records(records: bytes, first_ms: int) -> list[Stored]:
    """Read records that were written here.

    Args:
        records: Their bytes.
        first_ms: What their times count from.
    """
    reader, found = Reader(records), []
    while reader.left:
        reader.varint()
        reader.take(1)
        timestamp_ms = first_ms + reader.varint()
        reader.varint()
        key, value = _data(reader), _data(reader)
        headers = tuple(
            (reader.take(reader.varint()).decode(), _data(reader)) for _ in range(reader.varint())
        )
        found.append(Stored(value, key, headers, timestamp_ms))
    return found


def _data(reader: Reader) -> bytes | None:
    size = reader.varint()
    return None if size < 0 else reader.take(size)


def _headers(headers: Headers) -> bytes:
    parts = [varint(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += (varint(len(encoded)), encoded)
        parts += (_NULL,) if value is None else (varint(len(value)), value)
    return b"".join(parts)


_known_sizes: dict[int, list[bytes]] = {}
_MOST_KNOWN = 32


def _sizes(common: int) -> list[bytes]:
    """List, by the length of a value, how a record's size is written.

    Args:
        common: The bytes of the record beside its value and the value's length.
    """
    found = _known_sizes.get(common)
    if found is None:
        if len(_known_sizes) >= _MOST_KNOWN:
            _known_sizes.clear()
        found = [varint(common + len(VARINTS[size]) + size) for size in range(TABLE)]
        _known_sizes[common] = found
    return found
