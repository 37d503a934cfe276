"""Keeps several processes of one program alive.

Each process answers pings from its event loop. One that ends, or answers nothing for a while, is
replaced, later each time it happens again soon. A signal goes on to all of them: the first lets
them finish what runs, the second ends them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from typing import TYPE_CHECKING

import structlog

from eventstream.backoff import Backoff
from eventstream.supervision.child import Child
from eventstream.supervision.link import MISCONFIGURED

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.supervision.child import Program

log = structlog.get_logger(__name__)

SILENCE_S = 30.0
"""How long a running process may answer nothing."""
STEADY_S = 60.0
"""A process that lived this long starts again soon when it ends."""


class Supervisor:
    """Runs several processes of a program, and takes SIGTERM and SIGINT for them.

    Args:
        program: What each process runs.
        processes: How many.
        stop_timeout_s: How long a process may take to finish what runs.
        on_stop: Called once, when the first signal comes.
        silence_s: How long a process may answer nothing.
        backoff: How long to wait before a process is replaced that did not live long.
    """

    def __init__(
        self,
        program: Program,
        processes: int,
        stop_timeout_s: float,
        *,
        on_stop: Callable[[], None] | None = None,
        silence_s: float = SILENCE_S,
        backoff: Backoff | None = None,
    ) -> None:
        self._program = program
        self._processes = processes
        self._stop_timeout_s = stop_timeout_s
        self._on_stop = on_stop
        self._silence_s = silence_s
        self._backoff = backoff or Backoff(first_s=0.5)
        self._running: set[Child] = set()
        self._stopping = asyncio.Event()
        self._status = 0
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    async def run(self) -> int:
        """Run the processes until a signal; return the exit status: 0 if all ended well."""
        numbers = range(1, self._processes + 1)
        await asyncio.gather(*(self._keep(number) for number in numbers))
        return self._status

    def _on_signal(self, number: int) -> None:
        if self._stopping.is_set():
            self._status = 128 + number
        self._stop()

    def _stop(self) -> None:
        if self._on_stop and not self._stopping.is_set():
            self._on_stop()
        self._stopping.set()
        for process in self._running:
            process.terminate()

    async def _keep(self, number: int) -> None:
        """Keep one process running, whichever incarnation of it."""
        short_lives = 0
        while not self._stopping.is_set():
            process = await Child.start(self._program)
            log.info("process started", program=self._program.name, process=number, pid=process.pid)
            self._running.add(process)
            if self._stopping.is_set():
                process.terminate()
            why = await self._watch(process)
            self._running.discard(process)
            if self._stopping.is_set():
                self._note_end(process, number)
                return
            if process.status == MISCONFIGURED:
                self._status = MISCONFIGURED
                self._stop()
                return
            short_lives = 0 if process.age_s > STEADY_S else short_lives + 1
            delay_s = self._backoff.delay_s(max(1, short_lives), random.random())  # noqa: S311 - jitter
            log.error(
                "process ended; another one takes its place",
                program=self._program.name,
                process=number,
                pid=process.pid,
                why=why,
                in_s=round(delay_s, 1),
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def _watch(self, process: Child) -> str:
        """Wait until a process has ended, or end it when it is silent; say why it ended."""
        watching = asyncio.create_task(process.is_silent(self._silence_s))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({watching, ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        why = ""
        if self._stopping.is_set() and not ended.done():
            await asyncio.wait({ended}, timeout=self._stop_timeout_s)
            why = f"it did not stop within {self._stop_timeout_s:g} s"
        elif watching.done() and not ended.done():
            why = f"it answered nothing for {self._silence_s:g} s"
        if not ended.done():
            process.kill()
        await ended
        watching.cancel()
        stopping.cancel()
        return why or process.ending

    def _note_end(self, process: Child, number: int) -> None:
        was_early = process.status == -signal.SIGTERM
        if process.status and not was_early and not self._status:
            self._status = 1
            log.error(
                "process did not end well",
                program=self._program.name,
                process=number,
                pid=process.pid,
                why=process.ending,
            )
