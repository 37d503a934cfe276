"""One client's way through a topic: catch up with the ring, then follow it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError
from eventstream.gateway.tailing import endings, frames, gaps, ids
from eventstream.gateway.tailing.pages import pages_of
from eventstream.gateway.tailing.positions import furthest, moved, position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.tailing.catching_up import CatchingUp, Turn
    from eventstream.gateway.tailing.counters import TailingCounters
    from eventstream.gateway.tailing.endings import Ending
    from eventstream.gateway.tailing.feed import Feed
    from eventstream.gateway.tailing.outlet import Outlet
    from eventstream.gateway.tailing.positions import Positions
    from eventstream.gateway.tailing.wishes import Wish
    from eventstream.log.backlog import Batch
    from eventstream.log.received import Run

WRITE_BYTES = 131_072
PAGES_AT_ONCE = 500
RETRY_S = 1.0


class _Enough(Exception):
    """The client has as many events as it asked for."""


class Stream:
    """Reads a topic for one client.

    Args:
        feed: The topic.
        catching_up: Where to read what the feed does not reach back to.
        outlet: Where to write; its positions are where the client stands.
        wish: The only key to read, and after how many events to end.
        counters: Count what is sent.
    """

    def __init__(
        self,
        feed: Feed,
        catching_up: CatchingUp,
        outlet: Outlet,
        wish: Wish,
        counters: TailingCounters,
    ) -> None:
        self._feed = feed
        self._ring = feed.ring
        self._catching_up = catching_up
        self._outlet = outlet
        self._key = wish.key
        self._left = wish.limit
        self._counters = counters

    async def run(self, first: bytes) -> Ending:
        """Write events for as long as the client keeps up.

        Args:
            first: What to write before them.

        Raises:
            Stalled: The client takes nothing.
        """
        await self._outlet.open(first)
        try:
            while (place := self._ring.place(self._outlet.positions)) is None:
                await self._catch_up()
            return await self._follow(place)
        except EventstreamError as error:
            return endings.refused(str(error))
        except _Enough:
            return endings.ENOUGH

    async def _follow(self, place: int) -> Ending:
        ring, outlet, feed = self._ring, self._outlet, self._feed
        with feed.followed():
            while place >= ring.first:
                changed = feed.changed
                chunk, count, after, place = self._gather(place)
                if chunk:
                    await self._write(chunk, count, after)
                else:
                    outlet.positions = after
                    await asyncio.sleep(0)
                feed.reached(place)
                if place == ring.next:
                    await changed.wait()
        return endings.SLOW

    async def _write(self, chunk: bytes, count: int, after: Positions) -> None:
        """Write frames with so many events in them.

        Raises:
            _Enough: The client has as many as it asked for.
            Stalled: The client takes nothing.
        """
        left = self._left
        if left is not None and count >= left:
            chunk, last_id = frames.first(chunk, left)
            await self._outlet.write(chunk, ids.parse(last_id.decode()).positions)
            self._counters.events += left
            raise _Enough
        await self._outlet.write(chunk, after)
        self._counters.events += count
        if left is not None:
            self._left = left - count

    def _gather(self, place: int) -> tuple[bytes, int, Positions, int]:
        """Put together what to write at once: bytes, how many events, positions and place after."""
        parts: list[bytes] = []
        count = size = 0
        positions = self._outlet.positions
        for _ in range(PAGES_AT_ONCE):
            page = self._ring.page(place)
            if page is None or size >= WRITE_BYTES:
                break
            if page.before == positions:
                part, events = page.for_all(self._key)
                positions = page.after
            else:
                part, events = page.for_one(positions, self._key)
                positions = furthest(positions, page.after)
            parts.append(part)
            size += len(part)
            count += events
            place += 1
        return (parts[0] if len(parts) == 1 else b"".join(parts)), count, positions, place

    async def _catch_up(self) -> None:
        """Read on with a consumer of one's own until the ring can be joined, or others want it."""
        async with self._catching_up.turn(self._feed.topic, self._outlet.positions) as turn:
            while self._ring.place(self._outlet.positions) is None:
                if turn.has_lasted and self._catching_up.waiting:
                    return
                await self._pass_on(await turn.read(), turn)

    async def _pass_on(self, batch: Batch, turn: Turn) -> None:
        for run in batch.runs:
            await self._pass_run_on(run)
        positions = self._outlet.positions
        for partition, end in batch.ends.items():
            positions = moved(positions, partition, max(end, position(positions, partition)))
        self._outlet.positions = positions
        if batch.out_of_range:
            await self._pass_gap_on(turn, batch.out_of_range)

    async def _pass_run_on(self, run: Run) -> None:
        outlet = self._outlet
        wanted = run.events
        if self._key is not None:
            wanted = [event for event in wanted if event.key == self._key]
        for page in pages_of(wanted, outlet.positions, self._feed.tag):
            blob, count = page.for_all(None)
            await self._write(blob, count, page.after)
        outlet.positions = moved(outlet.positions, run.partition, run.events[-1].offset + 1)

    async def _pass_gap_on(self, turn: Turn, partitions: Sequence[int]) -> None:
        """Say what the log does not have any more, and go on with what it has."""
        positions = self._outlet.positions
        try:
            extents = await self._feed.extents()
        except EventstreamError:  # Kafka is away; the same is found again by the next read
            await asyncio.sleep(RETRY_S)
            for partition in partitions:
                turn.read_on(partition, position(positions, partition))
            return
        found, missed = gaps.resumed(positions, extents)
        if missed:
            event_id = ids.EventId(self._feed.tag, found)
            told = gaps.told(self._feed.topic, missed)
            await self._outlet.write(frames.notice("gap", ids.encode(event_id), told), found)
        for partition in {*partitions, *(gap.partition for gap in missed)}:
            turn.read_on(partition, position(found, partition))
