"""One handler's part of a worker: its partitions, from the events that come to what is finished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from eventstream.log.listener import NOWHERE, Position
from eventstream.observe import metrics
from eventstream.observe.metrics import sample
from eventstream.worker.adaptive import AdaptiveLimit
from eventstream.worker.arguments import batch_arguments_of
from eventstream.worker.attempts import Attempts
from eventstream.worker.batches import Batches
from eventstream.worker.context import Context
from eventstream.worker.counters import WorkerCounters
from eventstream.worker.handlers import awaitable_batch_handler, awaitable_handler
from eventstream.worker.lanes import NoLanes, lanes_for
from eventstream.worker.moves import Moves
from eventstream.worker.parking import Parking
from eventstream.worker.pool import Pool
from eventstream.worker.progress import Progress
from eventstream.worker.replays import Replays
from eventstream.worker.slots import Slots

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from typing import Any

    from eventstream.events import Event
    from eventstream.log.received import Received, Run
    from eventstream.observe.metrics import Sample
    from eventstream.worker.machine import Machine
    from eventstream.worker.parking import Letters
    from eventstream.worker.reach import Following
    from eventstream.worker.replays import Fetch
    from eventstream.worker.results import Sender
    from eventstream.worker.subscription import Subscription
    from eventstream.worker.transactional import Transactional

log = structlog.get_logger(__name__)


class Handling:
    """Owned by the loop it is made in.

    Args:
        subscription: The handler, and how it is run.
        sender: Writes the events that the handler returns.
        letters: Writes the letters of events that are given up.
        following: Reads them.
        fetch: Reads single ones.
        machine: Time and chance.
        turn_ended: Called after events were run: the time for what is due.
        gave_in: Called when the process is to end; the event that asked for it is not done.
        transactional: Runs the handler in transactions of its ledger.

    Attributes:
        progress: What is finished, by partition.
    """

    def __init__(
        self,
        subscription: Subscription,
        sender: Sender,
        letters: Letters,
        following: Following,
        fetch: Fetch,
        machine: Machine,
        *,
        turn_ended: Callable[[], None],
        gave_in: Callable[[BaseException], None],
        transactional: Transactional | None = None,
    ) -> None:
        self.subscription = subscription
        self.counters = WorkerCounters()
        self.progress: dict[int, Progress] = {}
        self._group = letters.group
        self._turn_ended = turn_ended
        self._waiting: dict[int, list[Received]] = {}
        self._threads = ThreadPoolExecutor(subscription.concurrency, subscription.topic)
        self._pool = Pool(subscription.handler, subscription.concurrency, self._context_of)
        self._batches: Batches | None = None
        self._adaptive = AdaptiveLimit(subscription.concurrency) if subscription.adaptive else None
        handle = self._handle_of(subscription, sender, transactional)
        if self._adaptive is not None:
            handle = _noting(handle, self._adaptive, machine.clock)
        handle_again = handle
        if transactional is not None:
            handle_again = transactional.within(handle, again=True)
            handle = transactional.within(handle, self._more_than)
        if subscription.batch is not None:
            subscription = replace(subscription, timeout_s=None)  # batches see to it
        self._lanes: NoLanes[Received] = lanes_for(subscription.order)
        self._moves = Moves(gave_in)
        self._parking = Parking(
            subscription,
            self._lanes,
            self._moves,
            letters,
            following,
            settled=self._settled,
            gave_in=gave_in,
        )
        self._attempts = Attempts(
            subscription,
            self._lanes,
            machine,
            tried_again=self._wake,
            give_up=self._parking.give_up,
        )
        self._replays = Replays(
            subscription,
            handle_again,
            self._lanes,
            self._moves,
            self._parking,
            letters,
            sender,
            fetch,
            chance=machine.chance,
            released=self._wake,
            gave_in=gave_in,
        )
        self._slots = Slots(
            subscription,
            handle,
            self._lanes,
            self._attempts,
            self.counters,
            sender,
            machine.clock,
            limit=lambda: self.concurrency,
            turn_ended=turn_ended,
            gave_in=gave_in,
        )

    def _handle_of(
        self, subscription: Subscription, sender: Sender, transactional: Transactional | None
    ) -> Callable[[Event], Awaitable[Any]]:
        handler = subscription.handler
        if subscription.batch is not None:
            self._batches = Batches(
                subscription.batch,
                subscription.timeout_s,
                batch_arguments_of(handler),
                awaitable_batch_handler(handler, self._threads),
                sender,
            )
            return self._batches.handle
        if subscription.cpu_bound:
            return self._pool.run
        given = {} if transactional is None else subscription.given(transactional.transaction_of)
        return awaitable_handler(handler, self._threads, self._context_of, given)

    def _more_than(self, event: Received) -> bool:
        """Whether another event can run as soon as one that runs is done."""
        return bool(self._lanes.ready) or event.behind is not None

    def _context_of(self, event: Event) -> Context:
        replayed = self._replays.attempts.get(event)
        if replayed is not None:
            return Context(attempt=replayed, is_replay=True, group=self._group)
        tried = self._attempts.tried.get(event)
        return Context(attempt=1 if tried is None else tried.attempts + 1, group=self._group)

    def assign(
        self,
        partition: int,
        committed: Position = NOWHERE,
        finished: Iterable[range] | None = None,
    ) -> None:
        """Begin to take events of a partition, from the position committed last.

        Args:
            partition: The partition.
            committed: The position.
            finished: What is finished beyond it, where a ledger tells and not the commit.
        """
        try:
            self.progress[partition] = Progress(committed, finished)
        except ValueError as error:
            log.warning(
                "a commit's metadata cannot be read; what is finished beyond it comes again",
                topic=self.subscription.topic,
                partition=partition,
                problem=str(error),
            )
            self.progress[partition] = Progress(Position(committed.offset))
        self._parking.assign(partition)

    def receive(self, run: Run) -> tuple[int, int]:
        """Take events of an assigned partition.

        Returns:
            How many events, and how many of their bytes, an earlier owner has finished already.
        """
        partition = run.partition
        before = len(run.events), run.size
        run = self.progress[partition].receive(run)
        self.counters.received += len(run.events)
        if self._parking.is_loading(partition):
            self._waiting.setdefault(partition, []).extend(run.events)
        else:
            self._line_up(partition, run.events)
        return before[0] - len(run.events), before[1] - run.size

    def heard(self, companion: str, partition: int, records: Sequence[Event]) -> None:
        """Take letters and marks of a partition's events."""
        self._parking.heard(companion, partition, records)
        self._replays.look(partition)

    def caught_up(self, companion: str, partition: int) -> None:
        """Note that a companion is heard to its end."""
        if self._parking.caught_up(companion, partition):
            self._replays.look(partition)
            self._line_up(partition, self._waiting.pop(partition, []))

    @property
    def handled(self) -> int:
        """Events whose handler finished."""
        unfinished = sum(progress.unfinished for progress in self.progress.values())
        return self.counters.handled(unfinished)

    @property
    def concurrency(self) -> int:
        """How many handlers may run at once now."""
        if self._adaptive is None:
            return self.subscription.concurrency
        return self._adaptive.limit

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        topic = self.subscription.topic
        yield from self.counters.samples(topic, self.handled)
        yield sample(metrics.CONCURRENCY, self.concurrency, topic)

    def forget(self, partition: int) -> tuple[int, int]:
        """Abandon a partition and what is not on record of it.

        Returns:
            How many events, and how many of their bytes, were not on record.
        """
        self.leave(partition)
        self._moves.abandon(partition)
        self._replays.abandon(partition)
        self._slots.abandon(partition)
        progress = self.progress.pop(partition, None)
        if progress is None:
            return 0, 0
        self.counters.forgotten += progress.unfinished
        return progress.give_up()

    def leave(self, partition: int) -> list[asyncio.Future[Any]]:
        """Start nothing more of a partition.

        Returns:
            A future for each event of it that runs, or is being moved: done when it ended.
        """
        self._lanes.revoke(partition)
        self._waiting.pop(partition, None)
        self._attempts.leave(partition)
        return [
            *self._parking.leave(partition),
            *self._replays.leave(partition),
            *self._slots.leave(partition),
        ]

    async def close(self) -> None:
        """End everything."""
        await self._slots.close()
        await self._replays.close()
        await self._moves.close()
        self._pool.close()
        if self._batches is not None:
            self._batches.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _line_up(self, partition: int, events: Sequence[Received]) -> None:
        self._lanes.add(partition, self._parking.sort(partition, events))
        self._wake()

    def _settled(self, event: Received) -> None:
        event.finish(event.offset)
        self.counters.given_up += 1
        self._lanes.let_go(event)
        self._wake()
        self._turn_ended()

    def _wake(self) -> None:
        self._slots.wake()


def _noting(
    handle: Callable[[Event], Awaitable[Any]], limit: AdaptiveLimit, clock: Callable[[], float]
) -> Callable[[Event], Awaitable[Any]]:
    """Give a handler whose calls the limit hears of."""

    async def noted(event: Event) -> Any:
        began = clock()
        begun = limit.begin()
        try:
            return await handle(event)
        finally:
            limit.end(begun, clock() - began)

    return noted
