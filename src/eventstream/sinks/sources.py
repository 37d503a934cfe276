"""Where in an event a value stands."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from eventstream import pointer
from eventstream.errors import InvalidSetting

_HEADER = "headers."


class Kind(Enum):
    """What part of an event; the value is how a mapping writes it."""

    POINTER = "a JSON pointer"
    KEY = "key"
    VALUE = "value"
    HEADERS = "headers"
    HEADER = "headers.NAME"
    TIMESTAMP = "timestamp"
    TOPIC = "topic"
    PARTITION = "partition"
    OFFSET = "offset"


_NAMED = {kind.value: kind for kind in Kind if kind not in {Kind.POINTER, Kind.HEADER}}


class Source(NamedTuple):
    """Where a value stands.

    Attributes:
        kind: In which part of the event.
        text: As the mapping writes it.
        pointer: Where in the JSON, of a pointer.
        header: The header's name, of a header.
    """

    kind: Kind
    text: str
    pointer: pointer.Pointer = ()
    header: str = ""

    @property
    def is_in_value(self) -> bool:
        """Whether a tombstone lacks it."""
        return self.kind in {Kind.POINTER, Kind.VALUE}


def parse(text: str) -> Source:
    """Read a source.

    Raises:
        InvalidSetting: It is none.
    """
    if text in _NAMED:
        return Source(_NAMED[text], text)
    if text.startswith(_HEADER) and len(text) > len(_HEADER):
        return Source(Kind.HEADER, text, header=text.removeprefix(_HEADER))
    found = pointer.parse(text) if text else None
    if found is None:
        raise InvalidSetting(
            f"Nothing in an event is called {text!r}: write a JSON pointer as /customer/name, or"
            " key, value, headers, headers.NAME, timestamp, topic, partition or offset."
        )
    return Source(Kind.POINTER, text, pointer=found)


def member(name: str) -> Source:
    """Return the source that is a member of the event's JSON object."""
    place = (name,)
    return Source(Kind.POINTER, pointer.write(place), pointer=place)
