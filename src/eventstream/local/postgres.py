"""A real PostgreSQL on this machine."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from eventstream.local import database, failures, postgres_install
from eventstream.local.config import HOST
from eventstream.local.database import RunningDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from eventstream.local.process import ServerProcess
    from eventstream.local.unprivileged import Account
    from eventstream.settings import HomeSettings

_STATUS_LINE = 7


class RunningPostgres(RunningDatabase):
    """A PostgreSQL that was started, or found running."""

    __slots__ = ()

    @property
    def dsn(self) -> str:
        """How its superuser reaches it, password included."""
        return self.url


def start_postgres(
    home: HomeSettings, port: int = 0, *, owner_pid: int | None = None
) -> RunningPostgres:
    """Start PostgreSQL, or find the one that runs in this home; returns once it answers.

    It listens on the loopback address alone, lets in whoever knows its random password, and ends
    with its owner. For root it runs as `nobody`, and its data is where that user can reach it.

    Args:
        home: Where its data and its log are, in the folder `postgres`.
        port: Where it listens; 0 takes a free one.
        owner_pid: The process it ends with; this one by default.

    Raises:
        LocalServerError: It cannot start; the sentence says why.
    """
    return database.start(RunningPostgres, POSTGRES, home.home, port, owner_pid)


def find_postgres(home: HomeSettings) -> RunningPostgres | None:
    """Find the PostgreSQL that runs in this home; `None` where none does."""
    return database.find(RunningPostgres, POSTGRES, home.home)


class _Postgres:
    """What sets PostgreSQL apart from the other database servers."""

    name = "PostgreSQL"
    folder = "postgres"
    min_free_bytes = 128_000_000
    stop_signal = signal.SIGINT
    data_holds_password = True

    def program(self, user: Account | None) -> Path:
        return postgres_install.server(user)

    def prepare(self, program: Path, data: Path, password: str, user: Account | None) -> None:
        postgres_install.initialise(program.parent, data, password, user)

    def arguments(self, data: Path, port: int, password: str) -> list[str]:
        del password  # Its data knows it.
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_line_prefix": "%m [%p] ",
        }
        named = [("-c", f"{name}={value}") for name, value in settings.items()]
        return ["-D", str(data), *(part for pair in named for part in pair)]

    def is_ready(self, data: Path, server: ServerProcess, console: str) -> bool:
        """Whether the last line of its pid file tells that it takes connections."""
        del console
        lines: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            text = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
            lines = text.splitlines()
        is_ours = bool(lines) and lines[0].strip() == str(server.pid)
        return is_ours and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def reason(self, console: str) -> str:
        """Take the first severe line of its log, which later ones only follow from."""
        for line in console.splitlines():
            for mark in ("could not bind", "FATAL:", "PANIC:"):
                if mark in line:
                    return line.partition("] ")[2].partition(":")[2].strip().rstrip(".")
        return failures.reason("", console)

    def url(self, port: int, password: str) -> str:
        return f"postgresql://{postgres_install.SUPERUSER}:{password}@{HOST}:{port}/postgres"


POSTGRES = _Postgres()
