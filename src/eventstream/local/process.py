"""Server processes: started under a guardian, told apart from later ones with the same pid."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import psutil

from eventstream.errors import LocalServerError
from eventstream.local import guardian

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_CLOCK_TOLERANCE_S = 2.0
_FREEZE_TIMEOUT_S = 5.0
_LOOK_INTERVAL_S = 0.002
_guardians: set[int] = set()


class Owner(NamedTuple):
    """A process whose end ends the servers it owns."""

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Owner:
        """Return the process that has this pid now."""
        return cls(pid, guardian.start_of(pid))


class ServerProcess(msgspec.Struct, frozen=True):
    """A server's process, known by pid and start time, so a pid used anew is not mistaken for it.

    Attributes:
        pid: The server's process.
        started: When it started, seconds since the epoch.
        guardian_pid: The guardian's process.
    """

    pid: int
    started: float
    guardian_pid: int

    @property
    def running(self) -> psutil.Process | None:
        """The process, or `None` when it has ended; one that is paused is still running."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) < _CLOCK_TOLERANCE_S
            if not is_same or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, if it has not ended.

        Raises:
            LocalServerError: It belongs to another user.
        """
        process = self.running
        if process is None:
            return
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied:
            raise LocalServerError(
                f"The process {self.pid} belongs to {process.username()}; only that user may"
                " stop it."
            ) from None

    def pause(self) -> None:
        """Freeze the process; return once it is frozen, or has ended."""
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + _FREEZE_TIMEOUT_S
        while not self.is_paused and self.running and time.monotonic() < deadline:
            time.sleep(_LOOK_INTERVAL_S)

    @property
    def is_paused(self) -> bool:
        """Whether the process is frozen."""
        process = self.running
        try:
            return process is not None and process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def detach(self) -> None:
        """Let the process outlive its owner."""
        os.kill(self.guardian_pid, signal.SIGUSR1)


def start(
    command: Sequence[str],
    folder: Path,
    console: Path,
    owner: Owner,
    environment: Mapping[str, str],
    *,
    user: int | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> ServerProcess:
    """Start a server that ends with its owner.

    Args:
        command: Program, an absolute path, and its arguments.
        folder: The folder it runs in.
        console: The file its standard output and error are added to.
        owner: The process it ends with, until it is detached.
        environment: Its environment.
        user: The number of the user it runs as, where that is another; only root may ask for it.
        stop_signal: What asks it to stop when its owner is gone.
    """
    reading, writing = os.pipe()
    output = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        guardian_pid = os.posix_spawn(
            sys.executable,
            [
                *(sys.executable, "-I", "-S", guardian.__file__),
                *(str(owner.pid), owner.start, str(folder)),
                *("" if user is None else str(user), str(int(stop_signal)), *command),
            ],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
        )
        _guardians.add(guardian_pid)
    finally:
        os.close(writing)
        os.close(output)
    with os.fdopen(reading) as answer:
        pid = int(answer.readline() or 0)
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0
    return ServerProcess(pid, started, guardian_pid)


def wait_ended(processes: Iterable[ServerProcess], timeout_s: float) -> list[ServerProcess]:
    """Wait for processes to end and return those that have not within `timeout_s`."""
    waiting = {process: process.running for process in processes}
    alive = [running for running in waiting.values() if running is not None]
    psutil.wait_procs(alive, timeout=timeout_s)
    left = [process for process in waiting if process.running is not None]
    for process in waiting:
        if process not in left:
            _reap(process.guardian_pid)
    return left


def kill_family(server: ServerProcess, timeout_s: float) -> None:
    """Kill a server and its children at once; return when they have ended, or after `timeout_s`.

    The children go with it because they hold its memory, and its files, until they notice.
    """
    running = server.running
    family = []
    if running is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = running.children(recursive=True)
    server.signal(signal.SIGKILL)
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(family, timeout=timeout_s)
    wait_ended([server], timeout_s)


def bare_environment() -> dict[str, str]:
    """Return the environment of a server that nothing of the caller's is to reach."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _reap(guardian_pid: int) -> None:
    """Take a guardian's exit status, if this process started it: it ends with its server."""
    if guardian_pid in _guardians:
        _guardians.discard(guardian_pid)
        os.waitpid(guardian_pid, 0)
