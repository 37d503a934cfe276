"""Keeps one process running, whichever incarnation of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from typing import TYPE_CHECKING, NamedTuple

import structlog

from eventstream.supervision.child import Child
from eventstream.supervision.link import MISCONFIGURED

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.backoff import Backoff
    from eventstream.supervision.child import Program
    from eventstream.supervision.link import Notice

log = structlog.get_logger(__name__)

STEADY_S = 60.0
"""A process that lived this long starts again soon when it ends."""


class Patience(NamedTuple):
    """How long a supervisor waits.

    Attributes:
        stop_s: For a process to finish what runs.
        silence_s: For a sign of life.
        backoff: Before a process is replaced that did not live long; `None` waits for a restart.
    """

    stop_s: float
    silence_s: float
    backoff: Backoff | None


class Keeper:
    """Starts one process of a program, watches it, and starts the next when it has ended.

    Args:
        program: What it runs.
        number: Which of the program's processes it is.
        patience: How long what may take.
        on_notice: Called with what the process tells.
    """

    def __init__(
        self,
        program: Program,
        number: int,
        patience: Patience,
        on_notice: Callable[[Notice], None],
    ) -> None:
        self._program = program
        self._number = number
        self._patience = patience
        self._on_notice = on_notice
        self._log = log.bind(program=program.name, process=number)
        self._child: Child | None = None
        self._told = asyncio.Event()
        self._hurry = asyncio.Event()
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._was_ready = False
        self._short_lives = 0
        self.began = asyncio.get_running_loop().time()

    async def keep(self) -> int:
        """Keep the process running until `stop`.

        Returns:
            Its exit status: 0 if it ended well, `MISCONFIGURED` if another start is of no use.
        """
        while True:
            self._told.clear()
            self.began = asyncio.get_running_loop().time()
            child = await Child.start(self._program, self._number, self._heard)
            self._log.info("process started", pid=child.pid)
            self._child = child
            if self._told.is_set():
                child.terminate()
            why = await self._watch(child)
            self._child = None
            if self._stopping.is_set():
                return self._note_end(child, why)
            if self._told.is_set():
                self._short_lives = 0
                self._log.info("process ended for the next one", pid=child.pid, why=why)
                continue
            backoff = self._patience.backoff
            if child.status == MISCONFIGURED and backoff and not self._was_ready:
                return MISCONFIGURED
            await self._pause(child, why, backoff)
            if self._stopping.is_set():
                return 0

    async def restart(self) -> None:
        """Let the process end, and return when the next one is ready, or when it is to stop."""
        self._ready.clear()
        if not self._told.is_set():
            self._tell()
        await self._ready.wait()

    def hurry(self) -> None:
        """Start now what would start later."""
        self._hurry.set()

    def stop(self, *, at_once: bool) -> None:
        """Let the process end, and start no other; or end it at once."""
        self._stopping.set()
        self._ready.set()
        if at_once or not self._told.is_set():
            self._tell()

    def _tell(self) -> None:
        self._told.set()
        self._hurry.set()
        if self._child is not None:
            self._child.terminate()

    def _heard(self, notice: Notice) -> None:
        if notice.ready and not self._told.is_set():
            self._was_ready = True
            self._ready.set()
        self._on_notice(notice)

    async def _watch(self, child: Child) -> str:
        """Wait until a process has ended, or end it when it is silent; say why it ended."""
        watching = asyncio.create_task(child.is_silent(self._patience.silence_s))
        ended = asyncio.create_task(child.wait())
        told = asyncio.create_task(self._told.wait())
        await asyncio.wait({watching, ended, told}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        told.cancel()
        why = f"it answered nothing for {self._patience.silence_s:g} s"
        if self._told.is_set():
            await asyncio.wait({ended}, timeout=self._patience.stop_s)
            why = f"it did not stop within {self._patience.stop_s:g} s"
        if ended.done():
            return child.ending
        child.kill()
        await ended
        return why

    async def _pause(self, child: Child, why: str, backoff: Backoff | None) -> None:
        """Say why a process ended, and wait until the next one is due."""
        self._short_lives = 0 if child.age_s > STEADY_S else self._short_lives + 1
        in_a_row = max(1, self._short_lives)
        self._hurry.clear()
        if backoff is None:
            self._log.error("process ended; it waits for a change", pid=child.pid, why=why)
            await self._hurry.wait()
            return
        delay_s = backoff.delay_s(in_a_row, random.random())  # noqa: S311 - jitter
        self._log.error(
            "process ended; another one takes its place",
            pid=child.pid,
            why=why,
            times_in_a_row=in_a_row,
            in_s=round(delay_s, 1),
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay_s)

    def _note_end(self, child: Child, why: str) -> int:
        was_early = child.status == -signal.SIGTERM
        if not child.status or was_early:
            return 0
        self._log.error("process did not end well", pid=child.pid, why=why)
        return 1
