"""Keeps worker processes alive.

Each process answers pings from its event loop. One that ends, or answers nothing for a while, is
replaced, later each time it happens again soon. A signal goes on to all of them: the first lets
them finish what runs, the second ends them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import structlog

from eventstream.worker.metrics_server import serve_metrics
from eventstream.worker.process import MISCONFIGURED, run
from eventstream.worker.retry import Backoff
from eventstream.worker.runner import LEAVE_TIMEOUT_S

if TYPE_CHECKING:
    from eventstream.worker.process import Job

log = structlog.get_logger(__name__)

PING_INTERVAL_S = 1.0
START_S = 120.0
"""How long a process may take to import the app and answer for the first time."""
SILENCE_S = 30.0
"""How long a running process may answer nothing."""
STEADY_S = 60.0
"""A process that lived this long starts again soon when it ends."""
EXIT_MARGIN_S = 10.0


def serve(job: Job) -> int:
    """Run a worker until a signal; return the exit status: 0 if everything ended well.

    Raises:
        InvalidSetting: The port of the metrics is taken.
    """
    with contextlib.ExitStack() as stack:
        if job.worker.metrics_port is not None:
            stack.enter_context(serve_metrics(job.home, job.worker.metrics_port))
        if job.worker.processes > 1:
            return asyncio.run(Supervisor(job).run())
        return run(job)


class Supervisor:
    """Runs as many processes of a job as its settings say.

    Args:
        job: What each process does.
        silence_s: How long a process may answer nothing.
        backoff: How long to wait before a process is replaced that did not live long.
    """

    def __init__(
        self, job: Job, *, silence_s: float = SILENCE_S, backoff: Backoff | None = None
    ) -> None:
        self._job = job
        self._silence_s = silence_s
        self._backoff = backoff or Backoff(first_s=0.5)
        self._running: set[_Process] = set()
        self._stopping = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run the processes until a signal; return the exit status: 0 if all ended well."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        numbers = range(1, self._job.worker.processes + 1)
        await asyncio.gather(*(self._keep(number) for number in numbers))
        return self._status

    def _on_signal(self, number: int) -> None:
        if self._stopping.is_set():
            self._status = 128 + number
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        for process in self._running:
            process.terminate()

    async def _keep(self, number: int) -> None:
        """Keep one process running, whichever incarnation of it."""
        short_lives = 0
        while not self._stopping.is_set():
            process = await _Process.start(self._job)
            log.info("worker process started", process=number, pid=process.pid)
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
            delay_s = self._backoff.delay_s(max(1, short_lives), random.random())  # noqa: S311
            log.error(
                "worker process ended; another one takes its place",
                process=number,
                pid=process.pid,
                why=why,
                in_s=round(delay_s, 1),
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def _watch(self, process: _Process) -> str:
        """Wait until a process has ended, or end it when it is silent; say why it ended."""
        watching = asyncio.create_task(process.is_silent(self._silence_s))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({watching, ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        why = ""
        if self._stopping.is_set() and not ended.done():
            wait_s = self._job.worker.drain_timeout_s + LEAVE_TIMEOUT_S + EXIT_MARGIN_S
            await asyncio.wait({ended}, timeout=wait_s)
            why = f"it did not stop within {wait_s:g} s"
        elif watching.done() and not ended.done():
            why = f"it answered nothing for {self._silence_s:g} s"
        if not ended.done():
            process.kill()
        await ended
        watching.cancel()
        stopping.cancel()
        return why or process.ending

    def _note_end(self, process: _Process, number: int) -> None:
        was_early = process.status == -signal.SIGTERM
        if process.status and not was_early and not self._status:
            self._status = 1
            log.error(
                "worker process did not end well",
                process=number,
                pid=process.pid,
                why=process.ending,
            )


class _Process:
    """One incarnation of a worker process, and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        answers: asyncio.StreamReader,
        link: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._answers = answers
        self._link = link
        self._began = asyncio.get_running_loop().time()
        self.pid = process.pid

    @classmethod
    async def start(cls, job: Job) -> _Process:
        """Start a process, out of reach of the terminal's Ctrl-C, and give it its job."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "eventstream.worker.process",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        answers, link = await asyncio.open_connection(sock=ours)
        link.write(job.encode())
        return cls(process, answers, link)

    @property
    def status(self) -> int | None:
        """Its exit status; minus the signal's number if a signal ended it."""
        return self._process.returncode

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self._process.returncode or 0
        if status < 0:
            return f"{signal.Signals(-status).name} ended it"
        return f"it exited with status {status}"

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return asyncio.get_running_loop().time() - self._began

    async def is_silent(self, silence_s: float) -> None:
        """Hear the first sign of life, then ask for more; return when none comes, or at its end."""
        allowed_s = max(START_S, silence_s)
        while True:
            try:
                heard = await asyncio.wait_for(self._answers.read(4096), allowed_s)
            except (TimeoutError, OSError):
                return
            if not heard:
                await self._process.wait()
                return
            allowed_s = silence_s
            await asyncio.sleep(min(PING_INTERVAL_S, silence_s / 3))
            self._link.write(b"\n")

    async def wait(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()
        self._link.close()

    def terminate(self) -> None:
        """Let it finish what runs; told again, it exits at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
