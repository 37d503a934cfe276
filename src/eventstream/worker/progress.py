"""What of a partition may be committed.

Only offsets that were received are tracked: compaction and transaction markers leave gaps, and a
gap waits for nobody. A commit holds the lowest unfinished offset, and in its metadata what is
finished beyond; so the next owner repeats only what was not finished.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from eventstream.log.listener import NOWHERE, Position
from eventstream.worker import beyond

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.log.received import Run

_CROWDED_BYTES = beyond.MOST_BYTES * 3 // 4
_AIRY_BYTES = beyond.MOST_BYTES // 2


class Commit(NamedTuple):
    """A position to commit, and how much will be on record once it is.

    Attributes:
        position: What to commit.
        events: How many of the received events it tells to be finished.
        size: The bytes of their values.
    """

    position: Position
    events: int
    size: int


class Progress:
    """What one partition's owner has received, finished and committed.

    Args:
        committed: The position the owner starts at, if one is committed.

    Attributes:
        received: One more than the last offset received; -1 before the first.
        committed: What is known to be committed.
        is_crowded: Whether the last commit's metadata is nearly full, so that no more events should
            be read before some of the oldest are finished.
        done: Finishes a received offset; raises `KeyError` when it was not received, or is finished
            already. It is called per event: the dict's own method costs half of one that calls it.

    Raises:
        ValueError: The metadata of the committed position is damaged.
    """

    __slots__ = (
        "_finished_before",
        "_on_record",
        "_received_bytes",
        "_received_events",
        "_unfinished",
        "committed",
        "done",
        "is_crowded",
        "received",
    )

    def __init__(self, committed: Position = NOWHERE) -> None:
        self.received = -1
        self.committed = committed
        self.is_crowded = False
        self._finished_before = beyond.decode(*committed)
        self._unfinished: dict[int, int] = {}
        self.done: Callable[[int], object] = self._unfinished.pop
        self._received_events = 0
        self._received_bytes = 0
        self._on_record = (0, 0)

    def is_behind(self, offset: int) -> bool:
        """Whether an offset lies before those that can come: the log went back."""
        return offset < max(self.received, self.committed.offset)

    def receive(self, run: Run) -> Run:
        """Track events that were received; at least one, none of them behind.

        Returns:
            Those that no earlier owner has finished.
        """
        self.received = run.offsets[-1] + 1
        if self._finished_before:
            run = self._without_finished(run)
        self._unfinished.update(zip(run.offsets, run.sizes, strict=True))
        self._received_events += len(run.offsets)
        self._received_bytes += sum(run.sizes)
        return run

    def commit(self) -> Commit | None:
        """Say what to commit now; `None` when there is nothing new."""
        if self.received < 0:
            return None
        unfinished = self._unfinished
        offset = next(iter(unfinished), self.received)
        metadata, is_whole = "", True
        if self._finished_before or self.received - offset != len(unfinished):
            finished = beyond.finished_between(unfinished, self.received) if unfinished else []
            metadata, is_whole = beyond.encode(offset, finished + self._finished_before)
        self.is_crowded = len(metadata) > (_AIRY_BYTES if self.is_crowded else _CROWDED_BYTES)
        position = Position(offset, metadata)
        if position == self.committed:
            return None
        if not is_whole:
            return Commit(position, *self._on_record)
        return Commit(
            position,
            self._received_events - len(unfinished),
            self._received_bytes - sum(unfinished.values()),
        )

    @property
    def unfinished(self) -> int:
        """How many received events are not finished."""
        return len(self._unfinished)

    def settle(self, commit: Commit) -> tuple[int, int]:
        """Note that Kafka has a commit.

        Returns:
            How many events, and how many of their bytes, were not on record until now.
        """
        self.committed = commit.position
        return self._put_on_record(commit.events, commit.size)

    def give_up(self) -> tuple[int, int]:
        """Forget what is not on record, as the partition goes to another owner.

        Returns:
            How many events, and how many of their bytes, that was.
        """
        self._unfinished.clear()
        return self._put_on_record(self._received_events, self._received_bytes)

    def _put_on_record(self, events: int, size: int) -> tuple[int, int]:
        """Let the record grow; the late answer to a commit may tell less than is there by now."""
        before_events, before_size = self._on_record
        self._on_record = max(events, before_events), max(size, before_size)
        return self._on_record[0] - before_events, self._on_record[1] - before_size

    def _without_finished(self, run: Run) -> Run:
        """Leave out what an earlier owner finished, and forget that where reading has passed it."""
        offsets = run.offsets
        kept: list[int] = []
        start = 0
        for finished in self._finished_before:
            kept.extend(range(start, bisect_left(offsets, finished.start, start)))
            start = bisect_left(offsets, finished.stop, start)
        kept.extend(range(start, len(offsets)))
        self._finished_before = [
            range(max(each.start, self.received), each.stop)
            for each in self._finished_before
            if each.stop > self.received
        ]
        return run._replace(
            events=[run.events[index] for index in kept],
            offsets=[offsets[index] for index in kept],
            sizes=[run.sizes[index] for index in kept],
        )
