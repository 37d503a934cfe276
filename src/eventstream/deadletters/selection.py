"""Which letters somebody means, and what is to become of them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from eventstream.deadletters.marks import MARK_HEADERS, PARKED_SUFFIX, marks_of
from eventstream.log.write import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventstream.deadletters.inbox import Entry, Inbox
    from eventstream.deadletters.marks import Kind

Place = tuple[int, int]


class Filter(NamedTuple):
    """What letters must be like; each part that is `None` takes any.

    Attributes:
        group: The consumer group.
        key: The key.
        error: A part of the exception's name or message.
        place: The partition and offset of the event.
        since_ms: The earliest time of the event, in milliseconds since the epoch.
        until_ms: The time before which the event is.
    """

    group: str | None = None
    key: bytes | None = None
    error: str | None = None
    place: Place | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether a letter is meant."""
        letter = entry.letter
        event, failure = letter.event, letter.failure
        return (
            self.group in (None, letter.group)
            and self.key in (None, event.key)
            and self.place in (None, letter.place)
            and (self.since_ms is None or event.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or event.timestamp_ms < self.until_ms)
            and (
                self.error is None
                or (failure is not None and self.error in f"{failure.error}: {failure.message}")
            )
        )


def select(inbox: Inbox, wanted: Filter, *, whole_keys: bool = False) -> list[Entry]:
    """List the outstanding letters that are meant, in the order of their places.

    Args:
        inbox: All letters.
        wanted: What is meant.
        whole_keys: Take with a letter all others of its key, if some of them are parked: they
            follow one another.
    """
    chosen = [entry for entry in inbox.outstanding if wanted.takes(entry)]
    if not whole_keys:
        return chosen
    with_parked = {_lane(entry) for entry in inbox.outstanding if entry.letter.failure is None}
    keys = {_lane(entry) for entry in chosen} & with_parked
    taken = {id(entry) for entry in chosen}
    return [entry for entry in inbox.outstanding if id(entry) in taken or _lane(entry) in keys]


def records_of(kind: Kind, topic: str, entries: Iterable[Entry]) -> Iterator[Record]:
    """Make the marks that say what is to become of letters."""
    for (group, partition, key), of_key in groupby(sorted(entries, key=_order), key=_lane):
        for mark in marks_of(kind, group, (one.letter.event.offset for one in of_key)):
            yield Record(topic + PARKED_SUFFIX, partition, key, mark.encode(), MARK_HEADERS)


def _lane(entry: Entry) -> tuple[str, int, bytes | None]:
    letter = entry.letter
    return letter.group, letter.event.partition, letter.event.key


def _order(entry: Entry) -> tuple[str, int, bytes, bool, int]:
    group, partition, key = _lane(entry)
    return group, partition, key or b"", key is None, entry.letter.event.offset
