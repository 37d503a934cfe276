"""Commands written as in redis-cli, with places of an event in braces; pure.

set order:{/id} {value}
hset customer:{key} name {/name} city {/address/city}
xadd log maxlen ~ 10000 * event {value}
hincrby revenue {/currency} {/cents}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eventstream.errors import InvalidEvent, InvalidSetting
from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.redis.commands import (
    Add,
    Command,
    Delete,
    HashAdd,
    HashDelete,
    HashSet,
    Set,
    SortedAdd,
    StreamAdd,
)
from eventstream.sinks.redis.words import Word, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eventstream.events import Event

    Make = Callable[[Event], Command]

_INTEGER = re.compile(rb"[+-]?[0-9]{1,19}").fullmatch
_SECONDS = re.compile(r"[1-9][0-9]{0,9}").fullmatch


class Templates:
    """What events do, as templates say.

    A tombstone deletes what `set` and `hset` would write from its value.

    Args:
        templates: A command each.

    Raises:
        InvalidSetting: One is no command, or none that can be written.
    """

    def __init__(self, templates: Sequence[str]) -> None:
        self._templates = templates
        self._keys: list[Word] = []
        self._makers = [self._parsed(template) for template in templates]

    def __call__(self, event: Event) -> list[Command]:
        """Say what an event does.

        Raises:
            InvalidEvent: It has not got what the templates want of it.
        """
        return [make(event) for make in self._makers]

    def check_tag(self, tag: str) -> None:
        """See that every key has a cluster's key tag in it.

        Raises:
            SinkRefused: One has not.
        """
        wanted = b"{%s}" % tag.encode()
        for template, key in zip(self._templates, self._keys, strict=True):
            literal = b"".join(part if isinstance(part, bytes) else b"\0" for part in key.parts)
            if wanted not in literal:
                raise SinkRefused(
                    f"The server is a cluster, where all keys of a sink stand in one slot: the key"
                    f" of {template!r} has to have {{{{{tag}}}}} in it."
                )

    def _parsed(self, template: str) -> Make:
        name, *words = split(template) or [Word([])]
        parse = _COMMANDS.get((name.literal or "").lower())
        made = parse(words[0], words[1:]) if parse is not None and words else None
        if made is None:
            raise InvalidSetting(
                f"{template!r} is no command that can be written; these are: {_FORMS}."
            )
        self._keys.append(words[0])
        return made


def _set(key: Word, rest: Sequence[Word]) -> Make | None:
    match [*rest[:1], *(word.literal for word in rest[1:])]:
        case [Word() as value]:
            expire_s = None
        case [Word() as value, "ex" | "EX", str(seconds)] if _SECONDS(seconds):
            expire_s = int(seconds)
        case _:
            return None
    if value.is_in_value and not key.is_in_value:
        return lambda event: (
            Delete(key.of(event))
            if event.value is None
            else Set(key.of(event), value.of(event), expire_s)
        )
    return lambda event: Set(key.of(event), value.of(event), expire_s)


def _hset(key: Word, rest: Sequence[Word]) -> Make | None:
    fields = _pairs(rest)
    if fields is None:
        return None
    names = rest[::2]
    in_value = any(word.is_in_value for word in rest[1::2])
    if in_value and not any(word.is_in_value for word in (key, *names)):
        return lambda event: (
            HashDelete(key.of(event), *(name.of(event) for name in names))
            if event.value is None
            else HashSet(key.of(event), fields(event))
        )
    return lambda event: HashSet(key.of(event), fields(event))


def _xadd(key: Word, rest: Sequence[Word]) -> Make | None:
    max_length = None
    head = [word.literal for word in rest[:3]]
    match head:
        case ["maxlen" | "MAXLEN", "~", str(count)] if _SECONDS(count):
            max_length, rest = int(count), rest[3:]
        case ["maxlen" | "MAXLEN", str(count), _] if _SECONDS(count):
            max_length, rest = int(count), rest[2:]
    fields = _pairs(rest[1:])
    if fields is None or rest[0].literal != "*":
        return None
    return lambda event: StreamAdd(key.of(event), fields(event), max_length)


def _incrby(key: Word, rest: Sequence[Word]) -> Make | None:
    match rest:
        case [amount]:
            return lambda event: Add(key.of(event), _integer(amount, event))
    return None


def _hincrby(key: Word, rest: Sequence[Word]) -> Make | None:
    match rest:
        case [field, amount]:
            return lambda event: HashAdd(key.of(event), field.of(event), _integer(amount, event))
    return None


def _zincrby(key: Word, rest: Sequence[Word]) -> Make | None:
    match rest:
        case [amount, member]:
            return lambda event: SortedAdd(key.of(event), member.of(event), _number(amount, event))
    return None


def _del(key: Word, rest: Sequence[Word]) -> Make | None:
    return None if rest else lambda event: Delete(key.of(event))


def _hdel(key: Word, rest: Sequence[Word]) -> Make | None:
    if not rest:
        return None
    return lambda event: HashDelete(key.of(event), *(field.of(event) for field in rest))


_COMMANDS: Mapping[str, Callable[[Word, Sequence[Word]], Make | None]] = {
    "set": _set,
    "hset": _hset,
    "xadd": _xadd,
    "incrby": _incrby,
    "hincrby": _hincrby,
    "zincrby": _zincrby,
    "del": _del,
    "hdel": _hdel,
}
_FORMS = (
    "set KEY VALUE [ex SECONDS], hset KEY FIELD VALUE ..., xadd KEY [maxlen ~ N] * FIELD VALUE ...,"
    " incrby KEY N, hincrby KEY FIELD N, zincrby KEY N MEMBER, del KEY, hdel KEY FIELD ..."
)


def _pairs(words: Sequence[Word]) -> Callable[[Event], dict[bytes, bytes]] | None:
    if not words or len(words) % 2:
        return None
    pairs = list(zip(words[::2], words[1::2], strict=True))
    return lambda event: {field.of(event): value.of(event) for field, value in pairs}


def _integer(word: Word, event: Event) -> int:
    text = word.of(event)
    if not _INTEGER(text):
        raise InvalidEvent("What is to be added is no integer of 64 bits.")
    return int(text)


def _number(word: Word, event: Event) -> float:
    try:
        return float(word.of(event))
    except ValueError:
        raise InvalidEvent("What is to be added is no number.") from None
