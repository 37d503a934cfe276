"""Where a bulk publisher's events come from: chunks of keys and values."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from eventstream.errors import EventstreamError, InvalidEvent, InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    KeyOf = Callable[[bytes, int], bytes | None]

Pair = tuple[bytes | None, bytes | None]
CHUNK = 1000
_VALUES = 1024
_POOL = 64 * CHUNK
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SMALLEST = len(b'{"text":""}')


def generated(count: int, size: int, keys: Sequence[bytes], seed: int = 0) -> Iterator[list[Pair]]:
    """Make events: JSON values of exactly `size` bytes, keys drawn evenly.

    They are drawn once, from a thousand values, into a pool that is sent over and over: a
    generator that cost more than the sending would measure itself.

    Args:
        count: How many events.
        size: Bytes of each value.
        keys: The different keys; none makes events without a key.
        seed: The same seed makes the same events.

    Yields:
        Chunks of keys and values.

    Raises:
        InvalidSetting: See `require_size`.
    """
    require_size(size)
    rng = random.Random(seed)  # noqa: S311 - a load, not a secret
    values = [
        b'{"text":"%b"}' % "".join(rng.choices(_ALPHABET, k=size - _SMALLEST)).encode()
        for _ in range(_VALUES)
    ]
    names: Sequence[bytes | None] = keys or [None]
    drawn = min(count, _POOL)
    pool: list[Pair] = list(
        zip(rng.choices(names, k=drawn), rng.choices(values, k=drawn), strict=True)
    )
    for start in range(0, count, CHUNK):
        place = start % _POOL
        yield pool[place : place + min(CHUNK, count - start)]


def require_size(size: int) -> None:
    """Make sure that a value of so many bytes can be JSON with a text in it.

    Raises:
        InvalidSetting: It cannot.
    """
    if size < _SMALLEST:
        raise InvalidSetting(
            f"--size is {size}, but the least a generated event has is {_SMALLEST}."
        )


def lines(file: BinaryIO, key_of: KeyOf) -> Iterator[list[Pair]]:
    """Read one event a line; empty lines are passed over.

    Args:
        file: Bytes, open for reading.
        key_of: Gives a line's key from the line and its number.

    Yields:
        Chunks of keys and values.
    """
    return _chunks(_pairs(file, key_of))


def _pairs(file: BinaryIO, key_of: KeyOf) -> Iterator[Pair]:
    for number, line in enumerate(file, 1):
        value = line.rstrip(b"\r\n")
        if value:
            yield key_of(value, number), value


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Cut a source into chunks; what came before a source's error is not lost."""
    iterator = iter(pairs)
    while True:
        chunk: list[Pair] = []
        try:
            chunk.extend(islice(iterator, CHUNK))
        except EventstreamError:
            yield chunk
            raise
        if not chunk:
            return
        yield chunk


def same_key(key: str | None) -> KeyOf:
    """Give every line this key, or none."""
    encoded = None if key is None else key.encode()
    return lambda _value, _number: encoded


def key_from(pointer: str) -> KeyOf:
    """Take each line's key out of its JSON, at a JSON Pointer (RFC 6901).

    Raises:
        InvalidSetting: It is not a JSON Pointer to a member.
    """
    if not pointer.startswith("/"):
        raise InvalidSetting(f"--key-from is {pointer!r}; a JSON Pointer begins with /: /user/id.")
    path = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    decode = msgspec.json.Decoder().decode

    def key_of(value: bytes, number: int) -> bytes | None:
        try:
            found = _walk(decode(value), path)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidEvent(f"Line {number} is not JSON, so it has no key: {error}.") from None
        except (LookupError, TypeError, ValueError):
            raise InvalidEvent(
                f"Line {number} has nothing at {pointer} to take its key from."
            ) from None
        if isinstance(found, str):
            return found.encode()
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found).encode()
        raise InvalidEvent(
            f"Line {number} has {found!r} at {pointer}; a key is a string or a whole number."
        )

    return key_of


def _walk(value: Any, path: list[str]) -> Any:
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
