"""One process under supervision, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from typing import NamedTuple

PING_INTERVAL_S = 1.0
START_S = 120.0
"""How long a process may take to load its program and answer for the first time."""


class Program(NamedTuple):
    """What a supervised process runs.

    Attributes:
        name: What its processes are called in the log.
        module: The module to run; it takes its job up with a `supervision.link.Link`.
        job: What to do, as `supervision.link.encode_job` writes it.
        descriptors: Open files that a process inherits.
    """

    name: str
    module: str
    job: bytes
    descriptors: tuple[int, ...] = ()


class Child:
    """One incarnation of a process, and the socket to it."""

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
    async def start(cls, program: Program) -> Child:
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
        answers, link = await asyncio.open_connection(sock=ours)
        link.write(program.job)
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
