"""The event loop's side of a worker: takes events, runs handlers, commits what is done.

One loop owns everything here. The reading thread (`log/consumer.py`) hands over batches and news of
the group; each is a call in this loop, so nothing is locked.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import structlog

from eventstream.errors import EventstreamError, Permanent
from eventstream.log.bound import Bound
from eventstream.log.listener import NOWHERE
from eventstream.observe import metrics
from eventstream.observe.metrics import sample
from eventstream.worker.committing import Committing
from eventstream.worker.deadletters import DeadLetters
from eventstream.worker.handling import Handling
from eventstream.worker.machine import THIS_MACHINE
from eventstream.worker.parking import topic_of
from eventstream.worker.subscription import SinkSubscription
from eventstream.worker.tenures import Tenures
from eventstream.worker.transactional import Transactional
from eventstream.worker.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eventstream.events import Event
    from eventstream.log.listener import Partition, Positions
    from eventstream.log.received import Run
    from eventstream.observe.metrics import Sample
    from eventstream.settings import WorkerSettings
    from eventstream.sinks.contract import Ledger
    from eventstream.worker.app import App
    from eventstream.worker.machine import Machine
    from eventstream.worker.parking import Letters
    from eventstream.worker.reach import Following, Reach, Reading
    from eventstream.worker.results import Sender
    from eventstream.worker.sink_keeper import SinkKeeper
    from eventstream.worker.subscription import AnySubscription

log = structlog.get_logger(__name__)

LEAVE_TIMEOUT_S = 10.0
"""How long a stop waits, after its handlers, for the last commit and for the group."""


class Worker:
    """Runs an app's handlers in this process.

    Args:
        app: The handlers.
        reach: How to reach the log.
        settings: Group, bounds and times.
        machine: Time and chance.
    """

    def __init__(
        self,
        app: App,
        reach: Reach,
        settings: WorkerSettings,
        machine: Machine = THIS_MACHINE,
    ) -> None:
        self._app = app
        self._reach = reach
        self._settings = settings
        self._machine = machine
        self._bound = Bound(settings.max_in_flight, settings.max_in_flight_bytes)
        self._parts: dict[str, Handling | Writing] = {}
        self._tenures: Tenures
        self._consumer: Reading
        self._committing: Committing
        self._loop: asyncio.AbstractEventLoop
        self._stop_asked = asyncio.Event()
        self._failure: EventstreamError | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`, then finish what runs, commit and leave the group.

        Raises:
            EventstreamError: Work cannot go on: Kafka refuses, or a handler ended the process.
        """
        self._loop = asyncio.get_running_loop()
        topics = [subscription.topic for subscription in self._app.subscriptions]
        placed = [each.topic for each in self._app.subscriptions if each.is_placed]
        self._consumer = self._reach.reading(topics, self, self._bound, placed)
        self._tenures = Tenures(
            self._app.subscriptions,
            self._settings.group,
            self._machine,
            tag_of=self._reach.topic_tag,
            place=self._consumer.place,
            over=self._forget,
            gave_in=self._gave_in,
        )
        await self._tenures.open()
        self._committing = Committing(
            self._parts,
            self._consumer,
            self._tenures,
            self._bound,
            self._settings,
            self._machine,
        )
        outbox = self._reach.sending()
        letters = DeadLetters(
            self._settings.group, outbox, self._reach.make_companion, self._machine
        )
        follower = self._reach.following(self)
        for subscription in self._app.subscriptions:
            self._parts[subscription.topic] = self._part(subscription, outbox, letters, follower)
        follower.start()
        self._consumer.start()
        committing = self._loop.create_task(self._committing.run())
        committing.add_done_callback(lambda _: self.stop())
        try:
            await self._stop_asked.wait()
            await self._leave()
        finally:
            committing.cancel()
            closing = [self._loop.create_task(each.close()) for each in self._parts.values()]
            await asyncio.gather(*closing)
            await self._tenures.close()
            await outbox.close()
            await follower.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await committing
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more events; `run` returns once the running ones are finished and committed."""
        if not self._stop_asked.is_set():
            log.info("stopping")
            self._stop_asked.set()

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape; lag is as of what Kafka last told."""
        for topic, handling in self._parts.items():
            yield from handling.samples()
            for partition, progress in handling.progress.items():
                end = self._consumer.end_offset(topic, partition)
                if end >= 0 and progress.committed.offset >= 0:
                    lag = max(0, end - progress.committed.offset)
                    yield sample(metrics.LAG, lag, topic, str(partition))
        yield sample(metrics.UNCOMMITTED, self._bound.events)

    # What the reading thread tells; see `Listener`.

    def assigned(self, committed: Positions) -> None:
        """Begin with partitions that are this process's now."""
        for where, position in committed.items():
            topic, partition = where
            if topic not in self._tenures.keepers:
                self._parts[topic].assign(partition, position)
            elif (begun := self._tenures.begin(where, position.offset)) is not None:
                finished = [range(offset, offset + 1) for offset in begun.done]
                self._parts[topic].assign(partition, position, finished)
        if not self.ready.is_set():
            self.ready.set()
            log.info("worker ready", group=self._settings.group, topics=list(self._parts))

    def entrusted(self, starts: Positions) -> None:
        """Take over partitions whose position a ledger keeps."""
        self._tenures.entrusted(starts)

    def received(self, runs: Sequence[Run]) -> None:
        """Line up events; those of partitions that have left meanwhile are let go."""
        for run in runs:
            handling = self._parts[run.topic]
            progress = handling.progress.get(run.partition)
            if progress is None or self._stop_asked.is_set():
                self._bound.release(len(run.events), run.size)
                continue
            if progress.is_behind(run.events[0].offset):
                self._begin_again(run)
                if run.partition not in handling.progress:
                    self._bound.release(len(run.events), run.size)
                    continue
            self._bound.release(*handling.receive(run))
        self._committing.received()

    async def give_up(self, partitions: Sequence[Partition]) -> Positions:
        """Finish what runs of these partitions, up to the drain timeout, and forget the rest."""
        await self._finish(partitions)
        positions = await self._committing.last(partitions)
        self.lost(partitions)
        return positions

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions; what still runs of them is cancelled and counts for nothing."""
        self._tenures.left(partitions)
        self._forget(partitions)

    def _forget(self, partitions: Sequence[Partition]) -> None:
        for topic, partition in partitions:
            self._bound.release(*self._parts[topic].forget(partition))

    # What the following thread tells of letters; see `Reader`.

    def heard(self, topic: str, partition: int, events: Sequence[Event]) -> None:
        """Take letters and marks of a topic's companion."""
        self._parts[topic_of(topic)].heard(topic, partition, events)

    def caught_up(self, topic: str, partition: int) -> None:
        """Note that a companion is heard to its end."""
        self._parts[topic_of(topic)].caught_up(topic, partition)

    def failed(self, error: EventstreamError) -> None:
        """Stop, and let `run` raise."""
        if self._failure is None:
            self._failure = error
        self.stop()

    # Own business.

    def _part(
        self,
        subscription: AnySubscription,
        sender: Sender,
        letters: Letters,
        following: Following,
    ) -> Handling | Writing:
        keeper = self._tenures.keepers.get(subscription.topic)
        if isinstance(subscription, SinkSubscription):
            return Writing(
                subscription,
                cast("SinkKeeper", keeper),
                sender,
                letters,
                following,
                self._reach.fetch,
                self._machine,
                turn_ended=self._committing.turn_ended,
                gave_in=self._gave_in,
                fenced=self._tenures.fenced,
            )
        transactional = None
        if keeper is not None:
            transactional = Transactional(cast("Ledger", keeper), sender, self._tenures.fenced)
        return Handling(
            subscription,
            sender,
            letters,
            following,
            self._reach.fetch,
            self._machine,
            turn_ended=self._committing.turn_ended,
            gave_in=self._gave_in,
            transactional=transactional,
        )

    def _gave_in(self, error: BaseException) -> None:
        if isinstance(error, EventstreamError):
            self.failed(error)
            return
        self.failed(
            Permanent(
                f"{type(error).__name__} in a handler ended the worker;"
                " its event is not done and comes again."
            )
        )

    def _begin_again(self, run: Run) -> None:
        """Forget a partition whose log went back: truncated, or its topic made anew."""
        offset = run.events[0].offset
        log.warning(
            "the log went back; its events come again",
            topic=run.topic,
            partition=run.partition,
            offset=offset,
        )
        where = (run.topic, run.partition)
        if run.topic in self._tenures.keepers:
            self._tenures.went_back(where, offset)
            return
        self.lost([where])
        self.assigned({where: NOWHERE})

    async def _leave(self) -> None:
        leaving = self._loop.create_task(self._consumer.stop())
        await self._finish(self._committing.owned)
        try:
            await asyncio.wait_for(leaving, LEAVE_TIMEOUT_S)
        except TimeoutError:
            log.warning("left without Kafka's answer; what was not committed comes again")

    async def _finish(self, partitions: Sequence[Partition]) -> None:
        """Start nothing more of these partitions; wait for what runs, up to the drain timeout."""
        endings = [
            ending
            for topic, partition in partitions
            for ending in self._parts[topic].leave(partition)
        ]
        if endings:
            await asyncio.wait(endings, timeout=self._settings.drain_timeout_s)
