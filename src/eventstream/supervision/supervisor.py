"""Keeps several processes of one program alive.

Each process answers pings from its event loop. One that ends, or answers nothing for a while, is
replaced, later each time it happens again soon. SIGTERM and SIGINT go on to all of them: the first
lets them finish what runs, the second ends them at once. On SIGHUP they are replaced one after the
other: a process finishes what runs and ends, the next one is started, and once that is ready the
next process has its turn. When SIGHUP says that the terminal was closed, it stops them.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import structlog

from eventstream.backoff import Backoff
from eventstream.supervision.keeper import Keeper, Patience
from eventstream.supervision.signals import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.supervision.child import Program
    from eventstream.supervision.link import Notice

log = structlog.get_logger(__name__)

SILENCE_S = 30.0
"""How long a running process may answer nothing."""
BACKOFF = Backoff(first_s=0.5)


class Supervisor:
    """Runs several processes of a program, and takes SIGTERM, SIGINT and SIGHUP for them.

    Args:
        program: What each process runs.
        processes: How many.
        stop_timeout_s: How long a process may take to finish what runs.
        on_stop: Called once, when the first signal comes.
        on_notice: Called with what processes tell.
        silence_s: How long a process may answer nothing.
        backoff: How long to wait before a process is replaced that did not live long; with `None`
            a process that ended by itself waits for the next `restart`.
    """

    def __init__(
        self,
        program: Program,
        processes: int,
        stop_timeout_s: float,
        *,
        on_stop: Callable[[], None] | None = None,
        on_notice: Callable[[Notice], None] | None = None,
        silence_s: float = SILENCE_S,
        backoff: Backoff | None = BACKOFF,
    ) -> None:
        self._on_stop = on_stop
        patience = Patience(stop_timeout_s, silence_s, backoff)
        tell = on_notice or (lambda _: None)
        numbers = range(1, processes + 1)
        self._keepers = [Keeper(program, number, patience, tell) for number in numbers]
        self._stopping = False
        self._status = 0
        self._restart_asked = asyncio.Event()
        self._asked_at = 0.0
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_signal, number)
        self._terminal = Terminal()
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    async def run(self) -> int:
        """Run the processes until a signal; return the exit status: 0 if all ended well."""
        restarting = self._loop.create_task(self._restart_when_asked())
        await asyncio.gather(*map(self._keep, self._keepers))
        restarting.cancel()
        return self._status

    def restart(self) -> None:
        """Replace every process that runs now, one after the other.

        Asked again meanwhile, it also replaces those that were new by then.
        """
        self._asked_at = self._loop.time()
        self._restart_asked.set()
        for keeper in self._keepers:
            keeper.hurry()

    async def _restart_when_asked(self) -> None:
        while True:
            await self._restart_asked.wait()
            log.info("restarting the processes, one after the other")
            while (keeper := self._next_old()) and not self._stopping:
                await keeper.restart()
            self._restart_asked.clear()
            if not self._stopping:
                log.info("all processes are restarted")

    def _next_old(self) -> Keeper | None:
        """Find a process that was started before the last restart was asked for."""
        return next((one for one in self._keepers if one.began < self._asked_at), None)

    def _on_hangup(self) -> None:
        if self._terminal.is_gone:
            self._stop()
        else:
            self.restart()

    def _on_signal(self, number: int) -> None:
        if self._stopping:
            self._status = 128 + number
        self._stop(at_once=self._stopping)

    def _stop(self, *, at_once: bool = False) -> None:
        if self._on_stop and not self._stopping:
            self._on_stop()
        self._stopping = True
        for keeper in self._keepers:
            keeper.stop(at_once=at_once)

    async def _keep(self, keeper: Keeper) -> None:
        status = await keeper.keep()
        self._status = self._status or status
        self._stop()
