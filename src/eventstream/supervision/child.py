"""One process under supervision, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.supervision.link import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

PING_INTERVAL_S = 1.0
START_S = 120.0
"""How long a process may take to load its program and answer for the first time."""
LAST_WORDS_S = 1.0
"""How long an ended process's last notice is waited for: a child of its own may hold the socket."""
LONGEST_NOTICE = 2**22


class Program(NamedTuple):
    """What a supervised process runs.

    Attributes:
        name: What its processes are called in the log.
        module: The module to run; it takes its job up with a `supervision.link.Link`.
        job: Gives what the process of a number is to do, as `supervision.link.encode_job` writes
            it.
        descriptors: Open files that a process inherits.
    """

    name: str
    module: str
    job: Callable[[int], bytes]
    descriptors: tuple[int, ...] = ()


class Child:
    """One incarnation of a process, and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        answers: asyncio.StreamReader,
        link: asyncio.StreamWriter,
        on_notice: Callable[[Notice], None],
    ) -> None:
        self._process = process
        self._answers = answers
        self._link = link
        self._on_notice = on_notice
        self._loop = asyncio.get_running_loop()
        self._began = self._heard = self._loop.time()
        self._turns = False
        self._failure = ""
        self._listening = self._loop.create_task(self._listen())
        self.pid = process.pid

    @classmethod
    async def start(
        cls, program: Program, number: int, on_notice: Callable[[Notice], None]
    ) -> Child:
        """Start a process, out of reach of the terminal's Ctrl-C, and give it its job."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                program.module,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno(), *program.descriptors],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        answers, link = await asyncio.open_connection(sock=ours, limit=LONGEST_NOTICE)
        link.write(program.job(number))
        return cls(process, answers, link, on_notice)

    @property
    def status(self) -> int | None:
        """Its exit status; minus the signal's number if a signal ended it."""
        return self._process.returncode

    @property
    def ending(self) -> str:
        """How it ended, in words, and why, if it told."""
        status = self._process.returncode or 0
        if status < 0:
            return f"{signal.Signals(-status).name} ended it"
        reason = f": {self._failure}" if self._failure else ""
        return f"it exited with status {status}{reason}"

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return self._loop.time() - self._began

    async def is_silent(self, silence_s: float) -> None:
        """Ask for a sign of life now and then; return when none comes for so long."""
        while self._loop.time() < self._heard + self._patience_s(silence_s):
            await asyncio.sleep(min(PING_INTERVAL_S, silence_s / 3))
            if self._turns:
                self._link.write(b"\n")

    def _patience_s(self, silence_s: float) -> float:
        return silence_s if self._turns else max(START_S, silence_s)

    async def _listen(self) -> None:
        """Take signs of life and notices until the process closes its end."""
        with contextlib.suppress(OSError):
            async for line in self._answers:
                self._heard = self._loop.time()
                if line == b"\n":
                    self._turns = True
                    continue
                notice = msgspec.json.decode(line, type=Notice)
                self._failure = notice.failure or self._failure
                self._on_notice(notice)

    async def wait(self) -> None:
        """Wait until it has ended and its last notice is here."""
        await self._process.wait()
        await asyncio.wait({self._listening}, timeout=LAST_WORDS_S)
        self._listening.cancel()
        self._link.close()

    def terminate(self) -> None:
        """Let it finish what runs; told again, it exits at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
