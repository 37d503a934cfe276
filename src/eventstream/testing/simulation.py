"""One simulated run of an app: processes come, go and die; in the end all has to be well."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from eventstream.deadletters.marks import MARK_HEADERS, PARKED_SUFFIX, marks_of
from eventstream.errors import EventstreamError, InvalidSetting
from eventstream.settings import WorkerSettings
from eventstream.testing.faults import Faults
from eventstream.testing.handlers import WatchedHandlers
from eventstream.testing.kafka import SimulatedKafka
from eventstream.testing.loop import Process, VirtualLoop, current_process
from eventstream.testing.reach import SimulatedReach
from eventstream.testing.witness import Broken, Witness
from eventstream.worker.machine import Machine
from eventstream.worker.runner import Worker
from eventstream.worker.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from eventstream.events import Event
    from eventstream.testing.member import Member
    from eventstream.worker.app import App

GROUP = "simulated"
PARTITIONS = 3
PROCESSES = 3
FAULTY_S = 30.0
SESSION_S = 10.0
RESTART_AFTER_S = 1.0
LOOK_S = 1.0
BURST = 5
LONGEST_S = 3600.0


class Outcome(NamedTuple):
    """What a run came to.

    Attributes:
        seed: Its number.
        faults: What went wrong.
        events: How many events there were.
        attempts: How often handlers were called.
        repeats: How many events were handled again, each for a reason.
        letters: How many were given up, or parked, and handled in the end.
        lasted_s: How long it would have taken, in seconds.
    """

    seed: int
    faults: Faults
    events: int
    attempts: int
    repeats: int
    letters: int
    lasted_s: float


class SimulatedProcess(Process):
    """A worker process: its worker, and how it reaches Kafka."""

    def __init__(self, name: str, app: App, kafka: SimulatedKafka) -> None:
        super().__init__(name)
        chance = kafka.chance
        settings = WorkerSettings(
            group=GROUP,
            max_in_flight=chance.choice([10, 100, 1000]),
            commit_interval_s=chance.choice([0.02, 0.1, 1.0]),
            drain_timeout_s=chance.choice([0.5, 3.0, 30.0]),
        )
        self.reach = SimulatedReach(self, kafka, settings)
        machine = Machine(kafka.loop.clock, chance.random, kafka.loop.clock)
        self.worker = Worker(app, self.reach, settings, machine)
        self.is_stopping = False


class Simulation:
    """A run; made once, run once.

    Args:
        app: The handlers.
        events: What is published, in order, over the first half minute.
        seed: Decides everything that is left to chance.
        faults: What goes wrong; drawn by the seed when left out.
    """

    def __init__(
        self, app: App, events: Iterable[Event], seed: int, faults: Faults | None = None
    ) -> None:
        self._chance = Random(seed)
        self._seed = seed
        self._events = list(events)
        self._loop = VirtualLoop()
        self._faults = faults or Faults.drawn(self._chance)
        handlers = _handlers_of(app)
        topics = [each.topic for each in handlers]
        self._kafka = SimulatedKafka(self._loop, self._chance, self._faults, topics)
        for topic in topics:
            self._kafka.create_topic(topic, PARTITIONS)
        self.witness = Witness(self._kafka, handlers)
        self._handlers = WatchedHandlers(self._kafka, self.witness, _member, self._chance)
        self._app = self._handlers.of(handlers)
        self._processes: list[SimulatedProcess] = []
        self._count = 0
        self._broken: BaseException | None = None

    def run(self) -> Outcome:
        """Run it.

        Raises:
            Broken: Something happened that must not.
        """
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.abandon()
        return Outcome(
            self._seed,
            self._faults,
            len(self._events),
            self.witness.attempts,
            self.witness.repeats,
            self.witness.letters,
            self._loop.time(),
        )

    async def _main(self) -> None:
        publishing = self._loop.create_task(self._publish())
        for _ in range(PROCESSES):
            self._start()
        for at_s, act in sorted(self._plan(), key=lambda planned: planned[0]):
            await asyncio.sleep(at_s - self._loop.time())
            await act()
            self._look_for_bugs()
        await publishing
        await asyncio.sleep(max(0.0, FAULTY_S - self._loop.time()))
        self.witness.note("calm from now on")
        self._kafka.faults = self._faults.calm
        if not self._processes:
            self._start()
        if any(each.on_failure == "stop" for each in self._app.subscriptions):
            self._handlers.healed = True
        await self._until_finished()
        self._handlers.healed = True
        await self._replay_letters()
        for process in list(self._processes):
            await self._stop(process)
        self.witness.check_end()
        self._look_for_bugs()

    def _plan(self) -> list[tuple[float, Callable[[], Coroutine[None, None, None]]]]:
        faults = self._faults
        acts = [
            *[self._kill_one] * faults.kills,
            *[self._pause_one] * faults.pauses,
            *[self._restart_one] * faults.restarts,
            *[self._add_one] * faults.joins,
            *[self._expire_some] * faults.expired,
        ]
        return [(self._chance.random() * FAULTY_S, act) for act in acts]

    async def _publish(self) -> None:
        mean_s = FAULTY_S / max(1, len(self._events))
        for event in self._events:
            if self._kafka.happens(1 / BURST):
                await asyncio.sleep(self._chance.random() * 2 * BURST * mean_s)
            gap = 1 if self._kafka.happens(self._faults.gaps) else 0
            self._kafka.append(event.topic, event.value, event.key, event.headers, gap=gap)

    # What happens to processes.

    def _start(self) -> SimulatedProcess:
        self._count += 1
        process = SimulatedProcess(f"p{self._count}", self._app, self._kafka)
        self._processes.append(process)
        self.witness.note(f"{process.name} starts")
        running = self._loop.start(process, process.worker.run())
        running.add_done_callback(lambda task: self._ended(process, task))
        return process

    def _ended(self, process: SimulatedProcess, task: asyncio.Task[None]) -> None:
        error = task.exception()
        self.witness.note(f"{process.name} ends: {error!r}")
        self._processes.remove(process)
        member = process.reach.member
        if member is not None and (member.bound.events, member.bound.bytes) != (0, 0):
            events = member.bound.events
            self._broken = Broken(f"{process.name} ended and still counts {events} events")
        if error is None and not process.is_stopping:
            self._broken = Broken(f"{process.name} ended by itself")
        if error is not None and not isinstance(error, EventstreamError):
            self._broken = error
        elif not process.is_stopping:
            self._loop.call_later(RESTART_AFTER_S, self._start)

    def _any_process(self) -> SimulatedProcess | None:
        running = [process for process in self._processes if not process.is_stopping]
        return self._chance.choice(running) if running else None

    async def _kill_one(self) -> None:
        process = self._any_process()
        if process is None:
            return
        self.witness.note(f"{process.name} is killed")
        process.kill()
        self._processes.remove(process)
        self._expire_later(process)
        self._loop.call_later(self._chance.random() * 2 * SESSION_S, self._start)

    async def _pause_one(self) -> None:
        process = self._any_process()
        if process is None:
            return
        pause_s = self._chance.random() * 2 * SESSION_S
        self.witness.note(f"{process.name} stands still for {pause_s:.1f} s")
        process.pause()
        if pause_s > SESSION_S:
            self._expire_later(process)
        self._loop.call_later(pause_s, process.resume)

    async def _restart_one(self) -> None:
        process = self._any_process()
        if process is not None:
            self._ask_to_stop(process)
            self._loop.call_later(self._chance.random(), self._start)

    async def _add_one(self) -> None:
        process = self._start()
        self._loop.call_later(self._chance.random() * SESSION_S, self._ask_to_stop, process)

    async def _expire_some(self) -> None:
        log = self._chance.choice(
            [log for where, log in self._kafka.logs.items() if where[0] in self._kafka.subscribed]
        )
        log.expire(self._chance.randint(log.start, log.end))
        self.witness.note(f"{log.topic}/{log.partition} begins at {log.start} from now on")

    def _expire_later(self, process: SimulatedProcess) -> None:
        if process.reach.member is not None:
            self._loop.call_later(SESSION_S, self._kafka.group.expire, process.reach.member)

    def _ask_to_stop(self, process: SimulatedProcess) -> None:
        if process in self._processes and not process.is_stopping:
            self.witness.note(f"{process.name} is asked to stop")
            process.is_stopping = True
            self._loop.call_soon(process.worker.stop, context=process.context)

    async def _stop(self, process: SimulatedProcess) -> None:
        self._ask_to_stop(process)
        await self._until(lambda: process not in self._processes, f"{process.name} does not stop")

    # How it ends.

    async def _until_finished(self) -> None:
        await self._until(
            lambda: not self.witness.unfinished(),
            "not everything is handled",
        )

    async def _replay_letters(self) -> None:
        """Have all letters handled again, as an operator would who has mended the handler."""
        letters = self.witness.outstanding()
        for letter in letters:
            (mark,) = marks_of("replay", GROUP, [letter.offset])
            self._kafka.create_topic(letter.topic + PARKED_SUFFIX, PARTITIONS)
            self._kafka.append(
                letter.topic + PARKED_SUFFIX,
                mark.encode(),
                letter.key,
                MARK_HEADERS,
                letter.partition,
            )
        await self._until(lambda: not self.witness.outstanding(), "not all letters are handled")

    async def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        latest_s = self._loop.time() + LONGEST_S
        while not condition():
            self._look_for_bugs()
            if self._loop.time() > latest_s:
                unfinished: Sequence[object] = self.witness.unfinished()
                raise Broken(f"{otherwise}, after an hour: {unfinished[:5]}")
            await asyncio.sleep(LOOK_S)

    def _look_for_bugs(self) -> None:
        broken = self.witness.broken or self._broken
        if broken is not None:
            raise broken
        if self._loop.failures:
            raise self._loop.failures[0]


def _member() -> Member:
    """The member of the process that the calling code belongs to."""
    process = current_process()
    if not isinstance(process, SimulatedProcess) or process.reach.member is None:
        raise TypeError("A handler was called by nobody's process.")
    return process.reach.member


def _handlers_of(app: App) -> list[Subscription]:
    handlers = [each for each in app.subscriptions if not each.is_placed]
    if len(handlers) < len(app.subscriptions):
        raise InvalidSetting("A simulation has no database: leave sinks and ledgers out.")
    return [each for each in handlers if isinstance(each, Subscription)]
