"""What of a partition may be committed.

Only offsets that were received are tracked: compaction and transaction markers leave gaps, and a
gap waits for nobody. A commit holds the lowest unfinished offset, and in its metadata what is
finished beyond; so the next owner repeats only what was not finished.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from eventstream.log.listener import NOWHERE, Position
from eventstream.worker import beyond

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class _Stretch(NamedTuple):
    """A run that was received; its events finish themselves, in `unfinished`.

    Attributes:
        start: Its first offset.
        stop: One more than its last offset.
        unfinished: The offsets that are not finished, in order, and their bytes.
        events: How many it had, without those that an earlier owner finished.
        size: Their bytes.
        skipped: How many an earlier owner finished.
    """

    start: int
    stop: int
    unfinished: dict[int, int]
    events: int
    size: int
    skipped: int

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of it is finished: the common case, which nobody has to look into."""
        return len(self.unfinished) == self.events and not self.skipped

    @property
    def finished_size(self) -> int:
        """The bytes of what is finished."""
        return 0 if self.is_untouched else self.size - sum(self.unfinished.values())


class Progress:
    """What one partition's owner has received, finished and committed.

    Args:
        committed: The position the owner starts at, if one is committed.
        finished: What is finished beyond it, rising, where somebody else than Kafka tells.

    Attributes:
        received: One more than the last offset received; -1 before the first.
        committed: What is known to be committed.
        is_crowded: Whether the last commit's metadata is nearly full, so that no more events should
            be read before some of the oldest are finished.

    Raises:
        ValueError: The metadata of the committed position is damaged.
    """

    __slots__ = (
        "_finished_before",
        "_on_record",
        "_passed",
        "_received",
        "_stretches",
        "committed",
        "is_crowded",
        "received",
    )

    def __init__(
        self, committed: Position = NOWHERE, finished: Iterable[range] | None = None
    ) -> None:
        self.received = -1
        self.committed = committed
        self.is_crowded = False
        self._finished_before = beyond.decode(*committed) if finished is None else list(finished)
        self._stretches: deque[_Stretch] = deque()
        self._received = (0, 0)
        self._passed = (0, 0)
        self._on_record = (0, 0)

    def is_behind(self, offset: int) -> bool:
        """Whether an offset lies before those that can come: the log went back."""
        return offset < max(self.received, self.committed.offset)

    def receive(self, run: Run) -> Run:
        """Track events that were received; none of them behind.

        Returns:
            Those that no earlier owner has finished.
        """
        start, self.received = run.events[0].offset, run.events[-1].offset + 1
        fresh = self._without_finished(run) if self._finished_before else run
        events = len(fresh.events)
        skipped = len(run.events) - events
        self._stretches.append(
            _Stretch(start, self.received, fresh.unfinished, events, fresh.size, skipped)
        )
        self._received = self._received[0] + events, self._received[1] + fresh.size
        return fresh

    def commit(self) -> Commit | None:
        """Say what to commit now; `None` when there is nothing new."""
        if self.received < 0:
            return None
        self._pass_finished()
        offset = next(iter(self._stretches[0].unfinished)) if self._stretches else self.received
        metadata, is_whole = beyond.encode(offset, self._finished_beyond(offset))
        self.is_crowded = len(metadata) > (_AIRY_BYTES if self.is_crowded else _CROWDED_BYTES)
        position = Position(offset, metadata)
        if position == self.committed:
            return None
        if not is_whole:
            return Commit(position, *self._on_record)
        events, size = self._passed
        for stretch in self._stretches:
            events += stretch.events - len(stretch.unfinished)
            size += stretch.finished_size
        return Commit(position, events, size)

    @property
    def unfinished(self) -> int:
        """How many received events are not finished."""
        return sum(len(stretch.unfinished) for stretch in self._stretches)

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
        self._stretches.clear()
        return self._put_on_record(*self._received)

    def _pass_finished(self) -> None:
        """Let go of what is finished at the front."""
        while self._stretches and not self._stretches[0].unfinished:
            stretch = self._stretches.popleft()
            self._passed = self._passed[0] + stretch.events, self._passed[1] + stretch.size

    def _finished_beyond(self, offset: int) -> list[range]:
        """List what is finished beyond the position, here or by an earlier owner."""
        finished: list[range] = []
        for stretch in self._stretches:
            if len(finished) >= beyond.MOST_HOLES:
                break
            if not stretch.is_untouched:
                start = max(offset, stretch.start)
                finished += beyond.finished_between(start, stretch.unfinished, stretch.stop)
        return finished + self._finished_before

    def _put_on_record(self, events: int, size: int) -> tuple[int, int]:
        """Let the record grow; the late answer to a commit may tell less than is there by now."""
        before_events, before_size = self._on_record
        self._on_record = max(events, before_events), max(size, before_size)
        return self._on_record[0] - before_events, self._on_record[1] - before_size

    def _without_finished(self, run: Run) -> Run:
        """Leave out what an earlier owner finished, and forget that where reading has passed it."""
        offsets = list(run.unfinished)
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
        for index in {*range(len(offsets))}.difference(kept):
            del run.unfinished[offsets[index]]
        events = [run.events[index] for index in kept]
        return run._replace(events=events, size=sum(run.unfinished.values()))
