"""What events do to a server that speaks Redis: commands on one key each; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eventstream.errors import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    Word = str | bytes | int | float

MOST_FIELDS = 1000
"""How many fields one command may have."""
_SHORTEST_EXPIRY_S = 0.001
_LONGEST_EXPIRY_S = 1e11
_INTEGER_BOUND = 1 << 63


class Command:
    """A command on one key; make one by its subclasses.

    Texts are keys, fields and values as `str`, written in UTF-8, or `bytes`; numbers are written in
    decimal.

    Args:
        key: The key.
        name: What the server calls the command.
        rest: What stands behind the key.

    Attributes:
        key: The key.
        words: The command's name, how many arguments stand behind the key, and these.

    Raises:
        InvalidEvent: Something in it cannot be written.
    """

    __slots__ = ("key", "words")

    def __init__(self, key: Word, name: bytes, *rest: bytes) -> None:
        self.key = _bytes(key)
        self.words: tuple[bytes | int, ...] = (name, len(rest), *rest)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.key)}, ...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and (self.key, self.words) == (other.key, other.words)

    def __hash__(self) -> int:
        return hash((self.key, self.words))


class Set(Command):
    """Set a key to a value, whatever it was.

    Args:
        key: The key.
        value: The value.
        expire_s: After how many seconds the key goes; `None` keeps it.
    """

    __slots__ = ()

    def __init__(self, key: Word, value: Word, expire_s: float | None = None) -> None:
        if expire_s is None:
            super().__init__(key, b"SET", _bytes(value))
            return
        if not _SHORTEST_EXPIRY_S <= expire_s <= _LONGEST_EXPIRY_S:
            raise InvalidEvent(f"A key cannot go after {expire_s} s.")
        super().__init__(key, b"SET", _bytes(value), b"PX", b"%d" % (expire_s * 1000))


class HashSet(Command):
    """Set fields of a hash.

    Args:
        key: The hash's key.
        fields: Its values by field; at least one, at most 1,000.
    """

    __slots__ = ()

    def __init__(self, key: Word, fields: Mapping[str, Word] | Mapping[bytes, Word]) -> None:
        super().__init__(key, b"HSET", *_flat(fields))


class StreamAdd(Command):
    """Append an entry to a stream; the server gives it its id.

    Args:
        key: The stream's key.
        fields: The entry's values by field; at least one, at most 1,000.
        max_length: How many entries are kept, about; `None` keeps all.
    """

    __slots__ = ()

    def __init__(
        self,
        key: Word,
        fields: Mapping[str, Word] | Mapping[bytes, Word],
        max_length: int | None = None,
    ) -> None:
        if max_length is None:
            super().__init__(key, b"XADD", b"*", *_flat(fields))
            return
        if max_length < 1:
            raise InvalidEvent(f"A stream cannot keep {max_length} entries.")
        bound = (b"MAXLEN", b"~", _integer(max_length))
        super().__init__(key, b"XADD", *bound, b"*", *_flat(fields))


class Add(Command):
    """Add to a counter.

    Args:
        key: The counter's key; it is 0 where there is none.
        amount: How much, of 64 bits with its sign.
    """

    __slots__ = ()

    def __init__(self, key: Word, amount: int = 1) -> None:
        super().__init__(key, b"INCRBY", _integer(amount))


class HashAdd(Command):
    """Add to a counter in a hash.

    Args:
        key: The hash's key.
        field: The counter's field; it is 0 where there is none.
        amount: How much, of 64 bits with its sign.
    """

    __slots__ = ()

    def __init__(self, key: Word, field: Word, amount: int = 1) -> None:
        super().__init__(key, b"HINCRBY", _bytes(field), _integer(amount))


class SortedAdd(Command):
    """Add to a member's score in a sorted set.

    Args:
        key: The sorted set's key.
        member: The member; its score is 0 where there is none.
        amount: How much.
    """

    __slots__ = ()

    def __init__(self, key: Word, member: Word, amount: float = 1) -> None:
        super().__init__(key, b"ZINCRBY", _number(amount), _bytes(member))


class Delete(Command):
    """Delete a key.

    Args:
        key: The key.
    """

    __slots__ = ()

    def __init__(self, key: Word) -> None:
        super().__init__(key, b"DEL")


class HashDelete(Command):
    """Delete fields of a hash; a hash goes with its last field.

    Args:
        key: The hash's key.
        fields: The fields; at least one, at most 1,000.
    """

    __slots__ = ()

    def __init__(self, key: Word, *fields: Word) -> None:
        _check_count(len(fields))
        super().__init__(key, b"HDEL", *map(_bytes, fields))


def shown(key: bytes) -> str:
    """Write a key for a sentence."""
    return repr(key.decode(errors="backslashreplace"))


def _bytes(word: Word) -> bytes:
    if isinstance(word, bytes):
        return word
    if isinstance(word, str):
        try:
            return word.encode()
        except UnicodeEncodeError:
            raise InvalidEvent("A text has half of a surrogate pair, which UTF-8 lacks.") from None
    return _number(word)


def _number(number: float) -> bytes:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InvalidEvent(f"A {type(number).__name__} is neither text nor a number.")
    if isinstance(number, int):
        return b"%d" % number
    if not math.isfinite(number):
        raise InvalidEvent(f"{number} is no number that can be written.")
    return repr(number).encode()


def _integer(number: int) -> bytes:
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidEvent(f"A {type(number).__name__} is no integer.")
    if not -_INTEGER_BOUND <= number < _INTEGER_BOUND:
        raise InvalidEvent("An integer has more than 64 bits.")
    return b"%d" % number


def _flat(fields: Mapping[str, Word] | Mapping[bytes, Word]) -> list[bytes]:
    _check_count(len(fields))
    flat: list[bytes] = []
    for field, value in fields.items():
        flat += (_bytes(field), _bytes(value))
    return flat


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_FIELDS:
        raise InvalidEvent(f"A command has {count} fields; it may have 1 to {MOST_FIELDS}.")
