"""The small process that stands between a server and whoever started it.

A program of its own, run as
`python -I -S guardian.py OWNER OWNER-START FOLDER USER STOP-SIGNAL COMMAND...`; it imports nothing
of ours. It starts the command in FOLDER, writes its pid to standard output and:

* ends the server when the owner's process is gone, however it went and whichever of its threads
  had asked for the server;
* lets go of the owner on SIGUSR1: from then on the server outlives it;
* stops the server when it is asked to stop, and takes it along if it is killed, so no death on
  either side leaves an orphan.

OWNER-START tells the owner from a later process with the same pid. USER is the number of the user
the server runs as, or empty for the one that starts it; STOP-SIGNAL asks the server to stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import sys
import time

LOOK_INTERVAL_S = 0.2
GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1
_STARTED = 19
_STATE = 0
_LONG_S = 3600.0
_ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_AWAITED = {signal.SIGCHLD, signal.SIGUSR1, *_ENDINGS}


def start_of(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[_STATE] in "ZX" else fields[_STARTED]


def _start(folder: str, user: str, command: list[str]) -> int:
    guardian = os.getpid()
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid:
        return pid
    try:
        if user:
            _become(int(user))
        # After the change of user, which would clear it.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == guardian:
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            os.chdir(folder)
            os.dup2(2, 1)
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]} cannot be started: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _become(user: int) -> None:
    """Give up being root for good, groups first."""
    group = pwd.getpwuid(user).pw_gid
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def _watch(pid: int, owner: int, owner_start: str, stop_signal: int) -> int:
    """Return the server's wait status once it has ended."""
    owned = True
    kill_at: float | None = None
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        # A detaching owner may be gone before its signal is taken: the signal counts.
        orphaned = owned and start_of(owner) != owner_start
        if orphaned and kill_at is None and signal.SIGUSR1 not in signal.sigpending():
            kill_at = _end(pid, stop_signal)
        if kill_at is not None and time.monotonic() > kill_at:
            os.kill(pid, signal.SIGKILL)
        is_busy = owned or kill_at is not None
        taken = signal.sigtimedwait(_AWAITED, LOOK_INTERVAL_S if is_busy else _LONG_S)
        if taken is not None and taken.si_signo == signal.SIGUSR1:
            owned = False
        elif taken is not None and taken.si_signo != signal.SIGCHLD and kill_at is None:
            kill_at = _end(pid, stop_signal)


def _end(pid: int, stop_signal: int) -> float:
    """Ask the server to stop, paused or not; return when patience is over."""
    os.kill(pid, stop_signal)
    os.kill(pid, signal.SIGCONT)
    return time.monotonic() + GRACE_S


def main() -> None:
    """Start the server and stay until it has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    with contextlib.suppress(PermissionError):  # It leads a session already.
        os.setsid()
    owner, owner_start, folder, user, stop_signal, *command = sys.argv[1:]
    pid = _start(folder, user, command)
    os.write(1, f"{pid}\n".encode())
    os.dup2(2, 1)
    status = _watch(pid, int(owner), owner_start, int(stop_signal))
    ended = os.waitstatus_to_exitcode(status)
    how = f"killed by signal {-ended}" if ended < 0 else f"exit code {ended}"
    os.write(2, f"The process has ended: {how}.\n".encode())


if __name__ == "__main__":
    main()
