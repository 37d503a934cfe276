"""Words of templates: texts with places of an event in them; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from eventstream import pointer
from eventstream.errors import InvalidEvent, InvalidSetting
from eventstream.sinks import sources
from eventstream.sinks.json_text import why_not_json
from eventstream.sinks.sources import Kind, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eventstream.events import Event

_PART = re.compile(r"\{\{|\}\}|\{(?P<source>[^{}]*)\}|(?P<space>\s+)|[^{}\s]+|(?P<stray>.)")


class Word(NamedTuple):
    """A word of a template.

    Attributes:
        parts: Literal text, and where in an event the rest of the text stands.
    """

    parts: Sequence[bytes | Source]

    @property
    def literal(self) -> str | None:
        """The word, if it is the same for all events."""
        texts = [part for part in self.parts if isinstance(part, bytes)]
        return b"".join(texts).decode() if len(texts) == len(self.parts) else None

    @property
    def is_in_value(self) -> bool:
        """Whether a tombstone lacks some of it."""
        return any(isinstance(part, Source) and part.is_in_value for part in self.parts)

    def of(self, event: Event) -> bytes:
        """Fill the word in.

        Raises:
            InvalidEvent: The event has not got all of it.
        """
        return b"".join(
            part if isinstance(part, bytes) else _found(part, event) for part in self.parts
        )


def split(template: str) -> list[Word]:
    """Read a template's words; `{{` and `}}` are braces.

    Raises:
        InvalidSetting: A brace or a place is none.
    """
    words: list[list[bytes | Source]] = [[]]
    for part in _PART.finditer(template):
        if part["space"]:
            words.append([])
        elif part["stray"]:
            raise InvalidSetting(
                f"A brace in {template!r} has no other; a brace that is meant is written twice."
            )
        elif part["source"] is not None:
            words[-1].append(_source(part["source"]))
        else:
            text = {"{{": "{", "}}": "}"}.get(part[0], part[0])
            words[-1].append(text.encode())
    return [Word(word) for word in words if word]


def _source(text: str) -> Source:
    source = sources.parse(text)
    if source.kind is Kind.HEADERS:
        raise InvalidSetting("A template takes one header at a time: write {headers.NAME}.")
    return source


def _found(source: Source, event: Event) -> bytes:
    found = _TAKERS[source.kind](source, event)
    if found is None:
        raise InvalidEvent(f"It has no {source.text}.")
    return found


def _in_json(source: Source, value: bytes | None) -> bytes | None:
    """Take a string without its quotes, and everything else but null as it stands."""
    if value is None:
        return None
    problem = why_not_json(value)
    if problem is not None:
        raise InvalidEvent(f"It is not JSON: {problem}.")
    text = pointer.find(source.pointer, value)
    if text is None or text == b"null":
        return None
    return pointer.scalar(text) if text.startswith(b'"') else text


_TAKERS: Mapping[Kind, Callable[[Source, Event], bytes | None]] = {
    Kind.POINTER: lambda source, event: _in_json(source, event.value),
    Kind.KEY: lambda _, event: event.key,
    Kind.VALUE: lambda _, event: event.value,
    Kind.HEADER: lambda source, event: dict(event.headers).get(source.header),
    Kind.TIMESTAMP: lambda _, event: b"%d" % event.timestamp_ms,
    Kind.TOPIC: lambda _, event: event.topic.encode(),
    Kind.PARTITION: lambda _, event: b"%d" % event.partition,
    Kind.OFFSET: lambda _, event: b"%d" % event.offset,
}
