"""What is finished beyond a committed position, in the text that Kafka keeps with a commit.

The text is `eventstream-1:` and base64 of deflated varints (unsigned LEB128): how many offsets from
the position on are unfinished, how many after them are finished, and so on in turns. An offset that
holds no record for this reader counts as finished. Kafka keeps at most 4096 bytes with a commit, by
its `offset.metadata.max.bytes`.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from itertools import chain, compress, islice
from operator import attrgetter, sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_BYTES = 4096
_VERSION = "eventstream-1:"
_MOST_INFLATED_BYTES = 1_000_000
MOST_HOLES = 4000
"""A text has room for no more: not many more than 3000, of one offset each, fit in."""
_start = attrgetter("start")
_stop = attrgetter("stop")
_MORE = 0x80  # set in every byte of a varint but the last


def finished_between(start: int, unfinished: Iterable[int], stop: int) -> list[range]:
    """List what is finished from `start` on, below `stop`: the first 4000 ranges.

    Args:
        start: The first offset.
        unfinished: The offsets that are not finished, rising.
        stop: One more than the last offset.
    """
    edges = [start - 1, *unfinished, stop]
    steps = list(map(sub, edges[1:], edges))
    holes = compress(zip(edges, steps, strict=False), map((1).__lt__, steps))
    return [range(before + 1, before + step) for before, step in islice(holes, MOST_HOLES)]


def encode(position: int, finished: Sequence[range]) -> tuple[str, bool]:
    """Write which offsets beyond a position are finished.

    Args:
        position: The position that is committed.
        finished: The finished offsets, rising, none below the position.

    Returns:
        The text, and whether all found room in it; else it tells of the first ones only.
    """
    told = len(finished)
    while told:
        text = _text(position, finished[:told])
        if len(text) <= MOST_BYTES:
            return text, told == len(finished) < MOST_HOLES
        told = min(told - 1, told * MOST_BYTES * 9 // (len(text) * 10))
    return "", not finished


def decode(position: int, text: str) -> list[range]:
    """Read which offsets beyond a committed position are finished; none where the text is foreign.

    Raises:
        ValueError: The text begins like ours and is damaged.
    """
    if not text.startswith(_VERSION):
        return []
    try:
        packed = base64.b64decode(text[len(_VERSION) :], validate=True)
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MOST_INFLATED_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not what was written: {error}") from None
    lengths = _lengths(data)
    finished = []
    for unfinished_length, length in zip(lengths[::2], lengths[1::2], strict=True):
        start = position + unfinished_length
        position = start + length
        finished.append(range(start, position))
    return finished


def _text(position: int, finished: Sequence[range]) -> str:
    starts = list(map(_start, finished))
    stops = list(map(_stop, finished))
    unfinished = map(sub, starts, [position, *stops])
    lengths = list(chain.from_iterable(zip(unfinished, map(len, finished), strict=False)))
    data = bytes(lengths) if max(lengths) < _MORE else b"".join(map(_varint, lengths))
    packed = zlib.compress(data, wbits=-zlib.MAX_WBITS)
    return _VERSION + base64.b64encode(packed).decode()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= _MORE:
        encoded.append(number % _MORE | _MORE)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _lengths(data: bytes) -> list[int]:
    lengths = []
    number = shift = 0
    for byte in data:
        number |= byte % _MORE << shift
        shift += 7
        if byte < _MORE:
            lengths.append(number)
            number = shift = 0
    if shift:
        raise ValueError("it ends in the middle of a number")
    return lengths
