"""When a worker commits, and what."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import EventstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventstream.log.bound import Bound
    from eventstream.log.listener import Partition, Positions
    from eventstream.settings import WorkerSettings
    from eventstream.worker.handling import Handling
    from eventstream.worker.machine import Machine
    from eventstream.worker.progress import Commit, Progress
    from eventstream.worker.reach import Reading
    from eventstream.worker.tenures import Tenures
    from eventstream.worker.writing import Writing

log = structlog.get_logger(__name__)

PRESSED_INTERVAL_S = 0.025
"""How soon one commit follows another when the bound is half taken."""
REST = 50
"""How many times as long as working out a commit took the loop does other things: where much is
finished beyond the position, that takes milliseconds."""
RETRY_S = 1.0
"""How soon a commit that failed is tried again."""
LEDGER_TIMEOUT_S = 2.0
"""How long partitions that are given up wait for their ledger to be told what is done."""


class Committing:
    """Owned by the running loop.

    A ledger is told first: what Kafka has of its partitions says how far behind they are, and
    decides nothing.

    Args:
        parts: What is finished, by topic.
        consumer: Commits.
        tenures: Tell ledgers.
        bound: What is on record is let go of.
        settings: The group's times.
        machine: Tells how long work took.
    """

    def __init__(
        self,
        parts: Mapping[str, Handling | Writing],
        consumer: Reading,
        tenures: Tenures,
        bound: Bound,
        settings: WorkerSettings,
        machine: Machine,
    ) -> None:
        self._parts = parts
        self._consumer = consumer
        self._tenures = tenures
        self._bound = bound
        self._interval_s = settings.commit_interval_s
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._took_s = 0.0

    def received(self) -> None:
        """Note that there is something to be committed some time."""
        if self._timer is None:
            self._later(self._interval_s)

    def turn_ended(self) -> None:
        """Commit now if there is little room left."""
        if self._bound.is_pressed and self._loop.time() >= self._not_before:
            self._due.set()

    async def run(self) -> None:
        """Commit whenever it is time, until it is cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._not_before = inf
            went_well = await self._commit()
            self._timer = None
            pause_s = max(PRESSED_INTERVAL_S, self._took_s * REST)
            if not went_well:
                pause_s = RETRY_S
            self._not_before = self._loop.time() + pause_s
            if self._bound.events:
                is_urgent = self._bound.is_pressed or not went_well
                interval_s = 0.0 if is_urgent else self._interval_s
                self._later(max(interval_s, pause_s))

    async def last(self, partitions: Sequence[Partition]) -> Positions:
        """Tell ledgers what is done of partitions that are given up; return what Kafka is told."""
        commits = self._commits(partitions)
        try:
            async with asyncio.timeout(LEDGER_TIMEOUT_S):
                await self._tenures.advance(_offsets(commits))
        except TimeoutError:
            log.warning("a ledger was not told of the last events; it knows them one by one")
        return {where: commit.position for where, commit in commits.items()}

    @property
    def owned(self) -> list[Partition]:
        """The partitions that are handled here."""
        return [(topic, each) for topic, one in self._parts.items() for each in one.progress]

    def _later(self, delay_s: float) -> None:
        self._timer = self._loop.call_later(delay_s, self._due.set)

    async def _commit(self) -> bool:
        commits, progress = await self._work_out()
        self._hold_the_crowded()
        if not commits:
            return True
        untold = await self._tenures.advance(_offsets(commits))
        positions = {
            where: commit.position
            for where, commit in commits.items()
            # One that left meanwhile has another owner, who may have committed more.
            if where not in untold and self._progress_of(where) is progress[where]
        }
        try:
            taken = await self._consumer.commit(positions)
        except EventstreamError as error:
            log.warning("commit failed; it is tried again", problem=str(error))
            return False
        for where in taken:
            self._bound.release(*progress[where].settle(commits[where]))
        return len(taken) == len(commits)

    async def _work_out(self) -> tuple[dict[Partition, Commit], dict[Partition, Progress]]:
        """Say what to commit, a partition in each round of the loop: one may take milliseconds."""
        commits: dict[Partition, Commit] = {}
        progress: dict[Partition, Progress] = {}
        self._took_s = 0.0
        for where in self.owned:
            began = self._machine.work()
            commits.update(self._commits([where]))
            self._took_s += self._machine.work() - began
            known = self._progress_of(where)
            if known is not None:
                progress[where] = known
            await asyncio.sleep(0)
        for where, known in progress.items():
            if self._progress_of(where) is not known:
                commits.pop(where, None)
        return commits, progress

    def _hold_the_crowded(self) -> None:
        """Read no more of partitions whose commits have no room to tell what is finished."""
        crowded = frozenset(
            (topic, partition)
            for topic, one in self._parts.items()
            for partition, progress in one.progress.items()
            if progress.is_crowded
        )
        self._consumer.hold(crowded)

    def _progress_of(self, where: Partition) -> Progress | None:
        topic, partition = where
        return self._parts[topic].progress.get(partition)

    def _commits(self, partitions: Sequence[Partition]) -> dict[Partition, Commit]:
        found = {}
        for where in partitions:
            progress = self._progress_of(where)
            commit = None if progress is None else progress.commit()
            if commit is not None:
                found[where] = commit
        return found


def _offsets(commits: Mapping[Partition, Commit]) -> dict[Partition, int]:
    return {where: commit.position.offset for where, commit in commits.items()}
