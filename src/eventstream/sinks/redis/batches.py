"""Batches of events as the write function reads them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from eventstream.errors import EventstreamError, InvalidEvent, Permanent
from eventstream.sinks.contract import Poisoned
from eventstream.sinks.redis.commands import Command, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from eventstream.events import Event

MOST_WORDS = 50_000
"""How many arguments one call has, about: the server does nothing else meanwhile."""
_OURS = b"eventstream:{"


class Batch(NamedTuple):
    """What events do, in one call.

    Attributes:
        offsets: Of the events that do anything.
        keys: Each command's key.
        words: Of each event how many commands it has, then theirs.
        next_offset: The position once it is written.
    """

    offsets: list[int]
    keys: list[bytes]
    words: list[bytes | int]
    next_offset: int

    def reasons(self, answer: Sequence[Any]) -> dict[int, str]:
        """Say why events are refused, by offset.

        Args:
            answer: As the function returns it: an event's number, a command's number, its name and
                the reason, and so on.
        """
        return {
            self.offsets[event - 1]: f"{name.decode()} {shown(self.keys[command - 1])}:"
            f" {reason.decode(errors='replace')}."
            for event, command, name, reason in zip(*[iter(answer)] * 4, strict=True)
        }


class Batches:
    """Makes batches.

    Args:
        commands: Says what an event does.
        slot: What keys are to have in braces, so that a cluster has them in one place; `None` lets
            them be.
    """

    def __init__(
        self, commands: Callable[[Event], Iterable[Command]], slot: bytes | None = None
    ) -> None:
        self._commands = commands
        self._slot = slot

    def of(self, events: Sequence[Event], next_offset: int) -> Iterator[Batch]:
        """Write events as batches: one, or as many as no call is too long.

        Args:
            events: In offset order.
            next_offset: The position when all are written.

        Raises:
            Poisoned: Some can do nothing.
        """
        batches, reasons = [], {}
        batch = Batch([], [], [], 0)
        for event in events:
            try:
                commands = self._made(event)
            except Permanent as error:
                reasons[event.offset] = str(error)
                continue
            if not commands:
                continue
            size = sum(len(command.words) for command in commands)
            if size > MOST_WORDS:
                reasons[event.offset] = (
                    f"Its commands have {size} words; one event's may have {MOST_WORDS}."
                )
                continue
            if batch.words and len(batch.words) + size > MOST_WORDS:
                batches.append(batch._replace(next_offset=event.offset))
                batch = Batch([], [], [], 0)
            batch.offsets.append(event.offset)
            batch.words.append(len(commands))
            for command in commands:
                batch.keys.append(command.key)
                batch.words.extend(command.words)
        if reasons:
            raise Poisoned(reasons)
        yield from batches
        yield batch._replace(next_offset=next_offset)

    def _made(self, event: Event) -> Sequence[Command]:
        try:
            commands = list(self._commands(event))
            for command in commands:
                self._check(command.key)
        except EventstreamError:
            raise
        except Exception as error:
            raise InvalidEvent(
                f"What it does cannot be said: {type(error).__name__}: {error}."
            ) from error
        return commands

    def _check(self, key: bytes) -> None:
        if key.startswith(_OURS):
            raise InvalidEvent(f"The key {shown(key)} is one where positions are kept.")
        if self._slot is not None and tag_of(key) != self._slot:
            raise InvalidEvent(
                f"The key {shown(key)} has not {{{self._slot.decode()}}} in it: in a cluster all"
                " keys of a sink stand in one slot, and so have its key tag in braces."
            )


def tag_of(key: bytes) -> bytes | None:
    """Return what a cluster chooses a key's slot by, if that is not all of it.

    Source: Redis cluster specification, "Hash tags".
    """
    _, brace, rest = key.partition(b"{")
    tag, end, _ = rest.partition(b"}")
    return tag if brace and end and tag else None
