"""A member of the group in memory: what a worker's reading thread is with a real Kafka."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.errors import KafkaUnavailable
from eventstream.log.consumer import GIVE_UP_MARGIN_S
from eventstream.log.listener import Position
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from confluent_kafka import Message

    from eventstream.log.bound import Bound
    from eventstream.log.listener import Listener, Partition, Positions
    from eventstream.testing.kafka import SimulatedKafka
    from eventstream.testing.loop import Process

MOST_EVENTS = 40
FULL_WAIT_S = 0.02


class Member:
    """Reads for one process; owned by its loop. See `Reading`.

    Args:
        process: Whose it is.
        kafka: Where it reads.
        listener: Called in the loop with everything that happens.
        bound: How much may be read before it is committed.
        drain_timeout_s: How long partitions are waited for that are to be given up.
        placed: Topics whose partitions wait until they are placed.

    Attributes:
        process: Whose it is.
        bound: How much may be read before it is committed.
        is_fenced: Whether the group has given it up, which it does not know yet.
    """

    def __init__(
        self,
        process: Process,
        kafka: SimulatedKafka,
        listener: Listener,
        bound: Bound,
        drain_timeout_s: float,
        placed: Collection[str],
    ) -> None:
        self.process = process
        self._kafka = kafka
        self._listener = listener
        self.bound = bound
        self._drain_timeout_s = drain_timeout_s
        self._placed = frozenset(placed)
        self._positions: dict[Partition, int | None] = {}
        self._held: frozenset[Partition] = frozenset()
        self._wish: tuple[Positions, asyncio.Future[set[Partition]]] | None = None
        self._batches = 0
        self._stopping = False
        self._task: asyncio.Task[None]
        self.is_fenced = False

    def start(self) -> None:
        """Join, and begin to read."""
        self._task = self._kafka.loop.create_task(self._run())

    async def stop(self) -> None:
        """Give up the partitions, commit, leave."""
        self._stopping = True
        self._kafka.changed.notify()
        await self._task

    async def commit(self, positions: Positions) -> set[Partition]:
        """Commit; return the partitions whose positions were taken."""
        answer: asyncio.Future[set[Partition]] = self._kafka.loop.create_future()
        self._wish = positions, answer
        self._kafka.changed.notify()
        return await answer

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Read on from all partitions but these."""
        if partitions != self._held:
            self._held = partitions
            self._kafka.changed.notify()

    def place(self, partition: Partition, offset: int) -> None:
        """Read a partition from an offset on, if it is still this member's."""
        if partition in self._positions:
            self._positions[partition] = offset
            self._kafka.loop.call_soon(self._listener.assigned, {partition: Position(offset)})
            self._kafka.changed.notify()

    def end_offset(self, topic: str, partition: int) -> int:
        """One more than the partition's last offset."""
        return self._kafka.logs[topic, partition].end

    async def _run(self) -> None:
        group = self._kafka.group
        group.join(self)
        while not self._stopping:
            if self.is_fenced:
                self._lose(list(self._positions))
                self.is_fenced = False
                group.join(self)
            elif unwanted := group.unwanted(self):
                await self._give_up(unwanted)
            elif granted := group.take(self):
                self._begin(granted)
            elif self._wish is not None:
                await self._grant(*self._wish)
            elif messages := self._read():
                self._hand_over(messages)
                await asyncio.sleep(self._kafka.way_s())
            else:
                await self._kafka.changed.wait(None if self.bound.room else FULL_WAIT_S)
        await self._give_up(list(self._positions))
        group.leave(self)

    def _begin(self, granted: Positions) -> None:
        waiting: Positions = {}
        known: Positions = {}
        for where, position in granted.items():
            start = max(0, position.offset)
            if where[0] in self._placed:
                self._positions[where] = None
                waiting[where] = Position(start)
            else:
                self._positions[where] = start
                known[where] = position
        if known:
            self._kafka.loop.call_soon(self._listener.assigned, known)
        if waiting:
            self._kafka.loop.call_soon(self._listener.entrusted, waiting)

    async def _give_up(self, partitions: list[Partition]) -> None:
        for where in partitions:
            self._positions.pop(where, None)
        giving_up = self._listener.give_up(partitions)
        try:
            positions = await asyncio.wait_for(giving_up, self._drain_timeout_s + GIVE_UP_MARGIN_S)
        except TimeoutError:
            self._lose(partitions)
            self._kafka.group.release(self, partitions, is_clean=False)
            return
        self._drop_wish()
        await asyncio.sleep(self._kafka.way_s())
        taken: set[Partition] = set()
        if not self._kafka.happens(self._kafka.faults.uncommitted):
            taken = self._kafka.group.commit(self, positions)
        self._kafka.group.release(self, partitions, is_clean=taken == positions.keys())

    def _lose(self, partitions: Sequence[Partition]) -> None:
        for where in partitions:
            self._positions.pop(where, None)
        self._drop_wish()
        self._listener.lost(partitions)

    async def _grant(self, positions: Positions, answer: asyncio.Future[set[Partition]]) -> None:
        self._wish = None
        await asyncio.sleep(self._kafka.way_s())
        taken: set[Partition] | None = None
        if not self._kafka.happens(self._kafka.faults.uncommitted):
            taken = self._kafka.group.commit(self, positions)
        await asyncio.sleep(self._kafka.way_s())
        if answer.done():
            return
        if taken is None:
            answer.set_exception(KafkaUnavailable("The commit was not taken."))
        else:
            answer.set_result(taken)

    def _drop_wish(self) -> None:
        if self._wish is not None:
            _, answer = self._wish
            self._wish = None
            if not answer.done():
                answer.set_result(set())

    def _read(self) -> list[Message]:
        free = [
            (where, position)
            for where, position in self._positions.items()
            if position is not None and where not in self._held
        ]
        self._kafka.chance.shuffle(free)
        most = min(self.bound.room, self._kafka.chance.randint(1, MOST_EVENTS))
        messages: list[Message] = []
        for where, position in free:
            some = self._kafka.logs[where].read(position, most - len(messages))
            if some:
                self._positions[where] = (some[-1].offset() or 0) + 1
                messages += some
        return messages

    def _hand_over(self, messages: list[Message]) -> None:
        self._batches += 1
        runs = list(runs_of(messages, batch=self._batches))
        self.bound.take(len(messages), sum(run.size for run in runs))
        self._kafka.loop.call_soon(self._listener.received, runs)
