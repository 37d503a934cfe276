"""One sink's part of a worker: its partitions, from the events that come to what is written.

A partition's events are written in their order, batch after batch, by a task of its own; the sink
keeps the position with them. An event that can never be written becomes a dead letter before the
position passes it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from eventstream.backoff import Backoff
from eventstream.errors import InvalidEvent
from eventstream.log.listener import NOWHERE, Position
from eventstream.sinks.contract import Fenced, Poisoned, SinkRefused, SinkUnavailable
from eventstream.worker.counters import WorkerCounters
from eventstream.worker.lanes import NoLanes
from eventstream.worker.moves import Moves
from eventstream.worker.parking import Parking
from eventstream.worker.progress import Progress
from eventstream.worker.replays import Replays
from eventstream.worker.write_queue import WriteQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from eventstream.events import Event
    from eventstream.log.received import Received, Run
    from eventstream.observe.metrics import Sample
    from eventstream.worker.machine import Machine
    from eventstream.worker.parking import Letters
    from eventstream.worker.reach import Following
    from eventstream.worker.replays import Fetch
    from eventstream.worker.results import Sender
    from eventstream.worker.sink_keeper import SinkKeeper
    from eventstream.worker.subscription import SinkSubscription

log = structlog.get_logger(__name__)


class Writing:
    """Owned by the loop it is made in; see `Handling`, which it stands beside.

    Args:
        subscription: The sink, and the topic it is for.
        keeper: The sink's tenures.
        sender: Writes what replays return, which is nothing.
        letters: Writes the letters of events that are given up.
        following: Reads them.
        fetch: Reads single ones.
        machine: Time and chance.
        turn_ended: Called after events were written: the time for what is due.
        gave_in: Called when the process is to end.
        fenced: Called with a partition that another owner has, before Kafka says so.

    Attributes:
        progress: What is written, by partition.
    """

    def __init__(
        self,
        subscription: SinkSubscription,
        keeper: SinkKeeper,
        sender: Sender,
        letters: Letters,
        following: Following,
        fetch: Fetch,
        machine: Machine,
        *,
        turn_ended: Callable[[], None],
        gave_in: Callable[[BaseException], None],
        fenced: Callable[[str, int], None],
    ) -> None:
        self.counters = WorkerCounters()
        self.progress: dict[int, Progress] = {}
        self._topic = subscription.topic
        self._keeper = keeper
        self._machine = machine
        self._turn_ended = turn_ended
        self._gave_in = gave_in
        self._fenced = fenced
        self._backoff = Backoff()
        self._queues: dict[int, WriteQueue] = {}
        self._loading: dict[int, list[Received]] = {}
        self._giving_up: dict[Received, asyncio.Future[None]] = {}
        lanes: NoLanes[Received] = NoLanes()
        self._moves = Moves(gave_in)
        self._parking = Parking(
            subscription,
            lanes,
            self._moves,
            letters,
            following,
            settled=self._settled,
            gave_in=gave_in,
        )
        self._replays = Replays(
            subscription,
            self._write_again,
            lanes,
            self._moves,
            self._parking,
            letters,
            sender,
            fetch,
            chance=machine.chance,
            released=lambda: None,
            gave_in=gave_in,
        )
        self._loop = asyncio.get_running_loop()

    # What the worker asks of each of its parts.

    def assign(
        self,
        partition: int,
        committed: Position = NOWHERE,
        finished: Iterable[range] | None = None,
    ) -> None:
        """Begin to write a partition's events, from a position on."""
        self.progress[partition] = Progress(committed, finished)
        self._parking.assign(partition)
        queue = self._queues[partition] = WriteQueue()
        queue.task = self._loop.create_task(self._write_always(partition, queue))
        queue.task.add_done_callback(self._ended)

    def receive(self, run: Run) -> tuple[int, int]:
        """Take events of an assigned partition; return how many, and bytes, were done before."""
        partition = run.partition
        run = self.progress[partition].receive(run)
        self.counters.received += len(run.events)
        if self._parking.is_loading(partition):
            self._loading.setdefault(partition, []).extend(run.events)
        else:
            self._line_up(partition, run.events)
        return 0, 0

    def heard(self, companion: str, partition: int, records: Sequence[Event]) -> None:
        """Take letters and marks of a partition's events."""
        self._parking.heard(companion, partition, records)
        self._replays.look(partition)

    def caught_up(self, companion: str, partition: int) -> None:
        """Note that a companion is heard to its end."""
        if self._parking.caught_up(companion, partition):
            self._replays.look(partition)
            self._line_up(partition, self._loading.pop(partition, []))

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        unfinished = sum(progress.unfinished for progress in self.progress.values())
        yield from self.counters.samples(self._topic, self.counters.handled(unfinished))

    def leave(self, partition: int) -> list[asyncio.Future[Any]]:
        """Begin no other batch of a partition; return what is waited for."""
        self._loading.pop(partition, None)
        queue = self._queues.get(partition)
        if queue is None:
            return []
        queue.leave()
        return [*self._parking.leave(partition), *self._replays.leave(partition), queue.task]

    def forget(self, partition: int) -> tuple[int, int]:
        """Abandon a partition; return how many events, and bytes, were not on record."""
        self.leave(partition)
        self._moves.abandon(partition)
        self._replays.abandon(partition)
        queue = self._queues.pop(partition, None)
        if queue is not None:
            queue.task.cancel()
        progress = self.progress.pop(partition, None)
        if progress is None:
            return 0, 0
        self.counters.forgotten += progress.unfinished
        return progress.give_up()

    async def close(self) -> None:
        """End everything."""
        for queue in self._queues.values():
            queue.task.cancel()
        await asyncio.gather(*(q.task for q in self._queues.values()), return_exceptions=True)
        await self._replays.close()
        await self._moves.close()

    # Own business.

    def _line_up(self, partition: int, events: Sequence[Received]) -> None:
        self._queues[partition].add(self._parking.sort(partition, events))

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            if not isinstance(error, SinkRefused):
                log.error("writing failed", topic=self._topic, exc_info=error)
            self._gave_in(error)

    async def _write_always(self, partition: int, queue: WriteQueue) -> None:
        while True:
            await queue.filled.wait()
            if queue.is_leaving:
                return
            batch = queue.take()
            began = self._machine.clock()
            try:
                written = await self._write(partition, batch, batch[-1].offset + 1)
            except Fenced:
                self._loop.call_soon(self._fenced, self._topic, partition)
                return
            self.counters.busy_s += self._machine.clock() - began
            for event in written:
                event.finish(event.offset)
            self._turn_ended()

    async def _write(
        self, partition: int, events: Sequence[Received], next_offset: int
    ) -> Sequence[Received]:
        """Write a batch, however long the sink is away, and return what of it could be."""
        tenure = self._keeper.tenure(partition)
        attempt = 0
        while True:
            try:
                await tenure.write(events, next_offset)
            except Poisoned as poisoned:
                events = await self._give_up(events, poisoned)
            except SinkUnavailable as error:
                attempt += 1
                delay_s = self._backoff.delay_s(attempt, self._machine.chance())
                log.warning(
                    "the sink does not take a batch; it is written again",
                    topic=self._topic,
                    partition=partition,
                    events=len(events),
                    attempt=attempt,
                    next_in_s=round(delay_s, 3),
                    problem=str(error),
                )
                await asyncio.sleep(delay_s)
            else:
                return events

    async def _give_up(self, events: Sequence[Received], poisoned: Poisoned) -> Sequence[Received]:
        """Have letters of the bad events acknowledged, and return the others."""
        waiting = []
        for event in events:
            reason = poisoned.reasons.get(event.offset)
            if reason is not None:
                self._giving_up[event] = settled = self._loop.create_future()
                waiting.append(settled)
                self._parking.give_up(event, InvalidEvent(reason), 1)
        await asyncio.gather(*waiting)
        return [event for event in events if event.offset not in poisoned.reasons]

    def _settled(self, event: Received) -> None:
        """Note that an event has its letter, now or since before."""
        event.finish(event.offset)
        self.counters.given_up += 1
        settled = self._giving_up.pop(event, None)
        if settled is not None and not settled.done():
            settled.set_result(None)
        self._turn_ended()

    async def _write_again(self, event: Event) -> None:
        """Write an event that was given up before."""
        try:
            await self._keeper.tenure(event.partition).add(event)
        except Poisoned as poisoned:
            raise InvalidEvent(poisoned.reasons[event.offset]) from None
