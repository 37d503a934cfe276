"""All letters of a topic, read from its two companions, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from eventstream.deadletters.letters import DEADLETTER_SUFFIX, Letter, letter_of
from eventstream.deadletters.marks import PARKED_SUFFIX, mark_of
from eventstream.errors import TopicNotFound
from eventstream.log.start import Start
from eventstream.log.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventstream.deadletters.marks import Mark
    from eventstream.events import Event
    from eventstream.settings import KafkaSettings

State = Literal["dead", "parked", "replaying", "replayed", "discarded"]


@dataclass(slots=True)
class Entry:
    """A letter, and what became of it.

    Attributes:
        letter: The letter; of several of one event the last.
        state: `dead` or `parked` while it waits, `replaying` while somebody asks for it; else how
            it was settled.
        why: What the last replay failed with.
    """

    letter: Letter
    state: State
    why: str = ""

    @property
    def is_outstanding(self) -> bool:
        """Whether it waits for somebody to see to it."""
        return self.state in {"dead", "parked", "replaying"}


@dataclass(slots=True)
class Inbox:
    """Letters by group, partition and the offset of their event.

    Attributes:
        topic: The topic they are of.
        entries: The letters.
        unreadable: How many records of the companions are neither letters nor marks.
    """

    topic: str
    entries: dict[tuple[str, int, int], Entry] = field(default_factory=dict)
    unreadable: int = 0

    def letter(self, letter: Letter, *, is_parked: bool) -> None:
        """Take a letter; those of the dead-letter topic tell more than parked events."""
        place = letter.group, *letter.place
        known = self.entries.get(place)
        if known is None or not is_parked:
            self.entries[place] = Entry(letter, "parked" if is_parked else "dead")

    def mark(self, partition: int, mark: Mark) -> None:
        """Take a mark; all letters were told before."""
        for offset in mark.offsets:
            entry = self.entries.get((mark.group, partition, offset))
            if entry is None or not entry.is_outstanding:
                continue
            if mark.kind == "replay":
                entry.state, entry.why = "replaying", ""
            elif mark.kind == "failed":
                entry.state, entry.why = "dead" if entry.letter.failure else "parked", mark.why
            else:
                entry.state = mark.kind

    @property
    def outstanding(self) -> list[Entry]:
        """The letters that wait for somebody to see to them, in the order of their places."""
        places = sorted(self.entries)
        return [self.entries[place] for place in places if self.entries[place].is_outstanding]


def read_inbox(
    kafka: KafkaSettings, topic: str, told: Callable[[int], None] = lambda _: None
) -> Inbox:
    """Read all letters of a topic; blocks.

    Args:
        kafka: How to reach Kafka.
        topic: The topic whose letters they are.
        told: Called now and then with how many records were read.

    Raises:
        EventstreamError: Kafka did not answer, or refused.
    """
    inbox = Inbox(topic)
    marks: list[tuple[int, Mark]] = []
    read = 0
    for suffix in (DEADLETTER_SUFFIX, PARKED_SUFFIX):
        for record in _records(kafka, topic + suffix):
            read += 1
            if read % 1000 == 0:
                told(read)
            try:
                mark = mark_of(record)
                if mark is None:
                    inbox.letter(letter_of(record), is_parked=suffix == PARKED_SUFFIX)
                else:
                    marks.append((record.partition, mark))
            except ValueError:
                inbox.unreadable += 1
    for partition, mark in marks:
        inbox.mark(partition, mark)
    return inbox


def _records(kafka: KafkaSettings, topic: str) -> Iterator[Event]:
    try:
        tail = Tail(kafka, topic, Start("earliest"))
    except TopicNotFound:
        return
    with tail:
        for events in tail.batches(until_end=True):
            yield from events
