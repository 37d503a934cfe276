"""Marks: what is asked and told of letters, beside the parked events in `<topic>.parked`.

A mark stands in the partition of the letters it is about, and has their key. Its value is JSON, and
a header tells it from a parked event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventstream.events import Event, Headers

PARKED_SUFFIX = ".parked"
MARK_HEADERS: Headers = (("eventstream-mark", b"1"),)
_MOST_OFFSETS = 1000

Kind = Literal["replay", "replayed", "failed", "discarded"]


class Mark(msgspec.Struct, frozen=True):
    """One mark.

    Attributes:
        kind: `replay` asks for letters to be handled again; `replayed` tells that they were,
            `failed` that they were not and nobody asks any more; `discarded` that nobody will.
        group: The consumer group whose letters they are.
        offsets: The offsets that their events had in their own topic.
        why: Of failed letters: what happened.
    """

    kind: Kind
    group: str
    offsets: tuple[int, ...]
    why: str = ""

    def encode(self) -> bytes:
        """Write the record's value."""
        return msgspec.json.encode(self)


def marks_of(kind: Kind, group: str, offsets: Iterable[int], why: str = "") -> Iterator[Mark]:
    """Make the marks for letters, so many that each is a small record."""
    rising = sorted(offsets)
    for start in range(0, len(rising), _MOST_OFFSETS):
        yield Mark(kind, group, tuple(rising[start : start + _MOST_OFFSETS]), why)


def mark_of(record: Event) -> Mark | None:
    """Read a mark; `None` where the record is none.

    Raises:
        ValueError: It is called a mark and cannot be read.
    """
    if MARK_HEADERS[0] not in record.headers:
        return None
    return msgspec.json.decode(record.value or b"", type=Mark)
