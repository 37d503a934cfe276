"""Handles letters again, when somebody asks for it, in the order of their key.

A replay holds its key's lane: it begins when what waited there is finished, and later events of the
key wait behind it. Each letter is marked once it is handled, so a replay that was cut short goes on
where it was, and repeats the event that ran at most.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from eventstream.deadletters.letters import Failure, letter_of
from eventstream.deadletters.lot import Slip
from eventstream.deadletters.marks import PARKED_SUFFIX, marks_of
from eventstream.errors import EventstreamError, Permanent
from eventstream.events import Event
from eventstream.observe.logs import where
from eventstream.worker.lanes import Hold
from eventstream.worker.results import publish_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable
    from typing import Any

    from eventstream.deadletters.lot import Lot
    from eventstream.deadletters.marks import Kind
    from eventstream.log.received import Received
    from eventstream.worker.lanes import NoLanes
    from eventstream.worker.moves import Moves
    from eventstream.worker.parking import Letters, Parking
    from eventstream.worker.results import Sender
    from eventstream.worker.subscription import AnySubscription

    Fetch = Callable[[str, int, Collection[int]], Awaitable[dict[int, Received]]]

log = structlog.get_logger(__name__)

BATCH_LETTERS = 100
FETCH_PAUSE_S = 1.0


class Replays:
    """The replays of one handler; owned by the running loop.

    Args:
        subscription: The handler, and how often it is tried.
        handle: Calls the handler.
        lanes: Where a replay waits for its turn.
        moves: Events on their way to a letter.
        parking: The letters.
        letters: Writes marks.
        sender: Writes the events that the handler returns.
        fetch: Reads records of a topic's partition by their offsets.
        chance: Draws a number from 0 to 1, for the backoff.
        released: Called when a lane may go on.
        gave_in: Called when a replay failed, which is a bug: the worker has to end.

    Attributes:
        attempts: Which attempt runs, of the letters that are handled just now.
    """

    def __init__(
        self,
        subscription: AnySubscription,
        handle: Callable[[Any], Awaitable[Any]],
        lanes: NoLanes[Received],
        moves: Moves,
        parking: Parking,
        letters: Letters,
        sender: Sender,
        fetch: Fetch,
        *,
        chance: Callable[[], float],
        released: Callable[[], None],
        gave_in: Callable[[BaseException], None],
    ) -> None:
        self._subscription = subscription
        self._handle = handle
        self._lanes = lanes
        self._moves = moves
        self._parking = parking
        self._letters = letters
        self._sender = sender
        self._fetch = fetch
        self._chance = chance
        self._released = released
        self._gave_in = gave_in
        self.attempts: dict[Event, int] = {}
        self._pausing: set[Hold] = set()
        self._limit = asyncio.Semaphore(subscription.concurrency)
        self._running: dict[Hold, asyncio.Task[None] | None] = {}

    def look(self, partition: int) -> None:
        """Begin the replays that are asked for."""
        lot = self._parking.lots.get(partition)
        if lot is None or self._parking.is_loading(partition):
            return
        under_way = {hold.key for hold in self._running if hold.partition == partition}
        for key in lot.due - under_way:
            hold = Hold(partition, key, lambda: None)
            hold.begin = self._beginner(hold, lot)
            self._parking.draining.add((partition, key))
            self._running[hold] = None
            self._lanes.hold(hold)

    def leave(self, partition: int) -> list[asyncio.Task[None]]:
        """Begin no more letters of a partition; return the replays whose letters still run."""
        leaving = []
        for hold in self._of(partition):
            task = self._running[hold]
            if task is None:
                self._forget(hold)
                continue
            if hold in self._pausing:
                task.cancel()
            leaving.append(task)
        return leaving

    def abandon(self, partition: int) -> None:
        """Cancel what still runs of a partition."""
        for hold in self._of(partition):
            task = self._running[hold]
            self._forget(hold)
            if task is not None:
                task.cancel()

    async def close(self) -> None:
        """Cancel all replays."""
        tasks = [task for task in self._running.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _of(self, partition: int) -> list[Hold]:
        return [hold for hold in self._running if hold.partition == partition]

    def _forget(self, hold: Hold) -> None:
        if hold in self._running:
            del self._running[hold]
            self._parking.draining.discard((hold.partition, hold.key))

    async def _pause(self, hold: Hold, seconds: float) -> None:
        """Wait; a partition that leaves does not wait for it."""
        self._pausing.add(hold)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._pausing.discard(hold)

    def _beginner(self, hold: Hold, lot: Lot) -> Callable[[], None]:
        def begin() -> None:
            if hold in self._running:
                loop = asyncio.get_running_loop()
                self._running[hold] = loop.create_task(self._replay(hold, lot))

        return begin

    async def _replay(self, hold: Hold, lot: Lot) -> None:
        try:
            async with self._limit:
                await self._drain(hold, lot)
        except Exception as error:
            log.exception("a replay failed")
            self._gave_in(Permanent(f"A replay of {self._subscription.topic!r} failed: {error!r}."))
        finally:
            self._forget(hold)
        if not self._is_ours(hold, lot):
            return
        if hold.key in lot.parked:
            self._parking.park_behind(hold)
        self._lanes.done(hold)
        self._released()
        self.look(hold.partition)

    async def _drain(self, hold: Hold, lot: Lot) -> None:
        key = hold.key
        at = Event(self._subscription.topic, None, key, (), hold.partition)
        on_their_way = self._moves.of_key(hold.partition, key)
        if on_their_way:
            await asyncio.wait(on_their_way)
        if key in lot.parked:
            await self._mark("replay", lot, at, lot.unwanted(key))
        while self._is_ours(hold, lot) and (wanted := lot.wanted(key)[:BATCH_LETTERS]):
            letters = await self._read(hold, lot, wanted)
            for offset in wanted:
                if not self._is_ours(hold, lot) or lot.slip(offset) is None:
                    continue
                if not await self._replay_one(hold, lot, at, offset, letters.get(offset)):
                    break

    async def _replay_one(
        self, hold: Hold, lot: Lot, at: Event, offset: int, record: Received | None
    ) -> bool:
        """Handle a letter again; return whether the next one of the key may follow."""
        if record is None:
            log.error("a letter is gone", **where(at), letter=offset)
            await self._mark("discarded", lot, at, [offset])
            return True
        event = letter_of(record).event
        failure = await self._attempt(hold, event)
        if failure is None:
            await self._mark("replayed", lot, at, [offset])
            return True
        if record.topic.endswith(PARKED_SUFFIX):
            receipt = await self._letters.write(event, failure)
            lot.letter(offset, event.key, Slip(receipt.topic, receipt.offset))
        parks = event.key in lot.parked
        why = f"{failure.error}: {failure.message}"
        await self._mark("failed", lot, at, lot.wanted(event.key) if parks else [offset], why)
        return not parks

    async def _attempt(self, hold: Hold, event: Event) -> Failure | None:
        subscription = self._subscription
        clock = asyncio.get_running_loop().time
        began, attempt = clock(), 0
        while True:
            attempt += 1
            self.attempts[event] = attempt
            try:
                async with asyncio.timeout(subscription.timeout_s):
                    result = await self._handle(event)
                    if result is not None:
                        await publish_result(result, self._sender)
            except Exception as error:  # noqa: BLE001 - handlers may raise anything
                chance = self._chance()
                delay_s = subscription.retry.delay_s(error, attempt, clock() - began, chance)
                log.warning("replay failed", **where(event), attempt=attempt, next_in_s=delay_s)
                if delay_s is None:
                    return Failure.of(error, attempt)
                await self._pause(hold, delay_s)
            else:
                return None
            finally:
                del self.attempts[event]

    async def _mark(
        self, kind: Kind, lot: Lot, at: Event, offsets: Iterable[int], why: str = ""
    ) -> None:
        for mark in marks_of(kind, self._letters.group, offsets, why):
            await self._letters.mark(at, mark)
            lot.mark(mark)

    async def _read(self, hold: Hold, lot: Lot, offsets: list[int]) -> dict[int, Received]:
        """Read the letters of these events, however long that takes."""
        found: dict[int, Received] = {}
        slips = {offset: slip for offset in offsets if (slip := lot.slip(offset)) is not None}
        for topic in {slip.topic for slip in slips.values()}:
            there = {slip.offset: offset for offset, slip in slips.items() if slip.topic == topic}
            while True:
                try:
                    records = await self._fetch(topic, hold.partition, there)
                except EventstreamError as error:
                    log.warning("letters were not read; again soon", problem=str(error))
                    await self._pause(hold, FETCH_PAUSE_S)
                else:
                    break
            found.update((there[offset], record) for offset, record in records.items())
        return found

    def _is_ours(self, hold: Hold, lot: Lot) -> bool:
        return self._parking.lots.get(hold.partition) is lot
