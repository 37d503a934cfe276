"""The letters of one handler's partitions: given up to them, parked behind them, known by them.

At the start of a partition its letters are heard first (`loading`); until then its events wait. So
an event that has a letter already, because a process ended between letter and commit, is known; and
keys that were parked are parked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from eventstream.deadletters.letters import DEADLETTER_SUFFIX, Failure, letter_of
from eventstream.deadletters.lot import Lot, Slip
from eventstream.deadletters.marks import PARKED_SUFFIX, mark_of
from eventstream.errors import Permanent
from eventstream.observe.logs import where

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from eventstream.deadletters.marks import Mark
    from eventstream.events import Event, Receipt
    from eventstream.log.listener import Partition
    from eventstream.log.received import Received
    from eventstream.worker.lanes import Hold, NoLanes
    from eventstream.worker.moves import Moves
    from eventstream.worker.reach import Following
    from eventstream.worker.subscription import AnySubscription

log = structlog.get_logger(__name__)

SUFFIXES = (DEADLETTER_SUFFIX, PARKED_SUFFIX)


class Letters(Protocol):
    """Where letters and marks are written; see `DeadLetters`."""

    group: str

    async def write(self, event: Event, failure: Failure) -> Receipt:
        """Write an event's dead letter."""

    async def park(self, event: Event) -> Receipt:
        """Write an event behind the parked ones of its key."""

    async def mark(self, event: Event, mark: Mark) -> Receipt:
        """Write a mark about letters that have the partition and the key of this event."""


class Parking:
    """Owned by the running loop.

    Args:
        subscription: The handler.
        lanes: Where events wait that are given up.
        moves: Events on their way to a letter.
        letters: Writes them.
        following: Reads them.
        settled: Called when an event's letter is acknowledged, or known.
        gave_in: Called when an event was given up and the worker is to end.

    Attributes:
        lots: The letters of each partition.
        draining: The keys, with their partition, whose letters are handled again just now: their
            events wait in their lane.
    """

    def __init__(
        self,
        subscription: AnySubscription,
        lanes: NoLanes[Received],
        moves: Moves,
        letters: Letters,
        following: Following,
        *,
        settled: Callable[[Received], None],
        gave_in: Callable[[BaseException], None],
    ) -> None:
        self.lots: dict[int, Lot] = {}
        self.draining: set[tuple[int, bytes | None]] = set()
        self._subscription = subscription
        self._lanes = lanes
        self._moves = moves
        self._letters = letters
        self._following = following
        self._settled = settled
        self._gave_in = gave_in
        self._loading: dict[int, set[str]] = {}

    def assign(self, partition: int) -> None:
        """Begin to hear a partition's letters."""
        on_failure = self._subscription.on_failure
        self.lots[partition] = Lot(parks=on_failure == "park")
        if on_failure != "stop":
            places = self._places(partition)
            self._loading[partition] = {topic for topic, _ in places}
            self._following.follow(places)

    def leave(self, partition: int) -> list[asyncio.Task[Receipt]]:
        """Hear no more of a partition; return the moves of its events."""
        if self.lots.pop(partition, None) is not None:
            self._loading.pop(partition, None)
            self._following.leave(self._places(partition))
        return self._moves.of(partition)

    def is_loading(self, partition: int) -> bool:
        """Whether a partition's letters are not all heard yet."""
        return partition in self._loading

    def heard(self, topic: str, partition: int, records: Sequence[Event]) -> None:
        """Take letters and marks from one of the topic's companions."""
        lot = self.lots.get(partition)
        if lot is None:
            return
        for record in records:
            try:
                mark = mark_of(record)
                if mark is None:
                    letter = letter_of(record)
                    if letter.group == self._letters.group:
                        lot.letter(letter.event.offset, record.key, Slip(topic, record.offset))
                elif mark.group == self._letters.group:
                    lot.mark(mark)
            except ValueError as error:
                log.warning("not a letter", **where(record), problem=str(error))

    def caught_up(self, topic: str, partition: int) -> bool:
        """Note that a companion is heard to its end; return whether the partition may now begin."""
        missing = self._loading.get(partition)
        if missing is None:
            return False
        missing.discard(topic)
        if missing:
            return False
        del self._loading[partition]
        return True

    def sort(self, partition: int, events: Sequence[Received]) -> Sequence[Received]:
        """Settle events that have a letter, park those of parked keys, and return the others."""
        lot = self.lots[partition]
        if not lot.parked and (not events or events[0].offset > lot.newest):
            return events
        free = []
        for event in events:
            if event.offset in lot:
                self._settled(event)
            elif event.key in lot.parked and (partition, event.key) not in self.draining:
                self._park(event)
            else:
                free.append(event)
        return free

    def give_up(self, event: Received, error: BaseException, attempts: int) -> None:
        """Decide what becomes of an event that is tried no more; it waits in its lane."""
        on_failure = self._subscription.on_failure
        log.error("given up", **where(event), attempt=attempts, then=on_failure, exc_info=error)
        if on_failure == "stop":
            self._gave_in(_end_of_the_worker(event, error, attempts))
            return
        writing = self._letters.write(event, Failure.of(error, attempts))
        self._moves.begin(event, writing, self._dead)

    def park_behind(self, event: Received | Hold) -> None:
        """Park what waits behind an event, or a hold, whose key is parked."""
        for waiting in self._lanes.take_behind(event):
            self._park(waiting)

    def _dead(self, event: Received, receipt: Receipt) -> None:
        lot = self.lots.get(event.partition)
        if lot is not None:
            lot.letter(event.offset, event.key, Slip(receipt.topic, receipt.offset))
            if event.key in lot.parked and self._lanes.waits(event):
                self.park_behind(event)
        self._settled(event)

    def _park(self, event: Received) -> None:
        self._moves.begin(event, self._letters.park(event), self._parked)

    def _parked(self, event: Received, receipt: Receipt) -> None:
        lot = self.lots.get(event.partition)
        if lot is not None:
            lot.letter(event.offset, event.key, Slip(receipt.topic, receipt.offset))
        self._settled(event)

    def _places(self, partition: int) -> list[Partition]:
        return [(self._subscription.topic + suffix, partition) for suffix in SUFFIXES]


def topic_of(companion: str) -> str:
    """Return the topic that letters are of, by the topic they stand in."""
    return companion.removesuffix(DEADLETTER_SUFFIX).removesuffix(PARKED_SUFFIX)


def _end_of_the_worker(event: Received, error: BaseException, attempts: int) -> Permanent:
    times = "once" if attempts == 1 else f"{attempts} times"
    return Permanent(
        f"The handler of {event.topic!r} failed {times} on {event!r}"
        f" ({type(error).__name__}: {error}), and its on_failure is 'stop';"
        " the event is not done and comes again."
    )
