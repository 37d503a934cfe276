"""A real PostgreSQL on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from eventstream.errors import LocalServerError
from eventstream.local import failures, ports, postgres_install, process, state, storage
from eventstream.local.config import HOST
from eventstream.local.process import ServerProcess
from eventstream.local.unprivileged import account, place_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.settings import HomeSettings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
MIN_FREE_BYTES = 128_000_000
_PORT_ATTEMPTS = 3
_LOOK_PAUSE_S = 0.01
_STATUS_LINE = 7
_CONSOLE = "postgres.log"


class _State(msgspec.Struct, frozen=True):
    """What the folder remembers: how to get in, and the process."""

    data: str
    password: str
    port: int = 0
    process: ServerProcess | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.running is not None


@dataclass(frozen=True, slots=True)
class RunningPostgres:
    """A PostgreSQL that was started, or found running.

    Attributes:
        dsn: How its superuser reaches it, password included.
        port: Where it listens, on the loopback address alone.
        pid: Its first process.
        was_running: Whether it ran before it was asked for.
    """

    dsn: str = field(repr=False)
    port: int
    pid: int
    was_running: bool
    _folder: Path = field(repr=False)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop it cleanly, its clients' connections cut; kill it after `timeout_s`."""
        with _found(self._folder) as found:
            if found.process is not None:
                found.process.signal(signal.SIGCONT)
                found.process.signal(signal.SIGINT)
                if process.wait_ended([found.process], timeout_s):
                    _kill(found.process)

    def kill(self) -> None:
        """Kill all its processes, as a crash of the machine would."""
        with _found(self._folder) as found:
            if found.process is not None:
                _kill(found.process)

    def discard(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        with _found(self._folder) as found:
            data = Path(found.data)
            shutil.rmtree(data if data.parent == self._folder else data.parent)
            (self._folder / state.STATE_NAME).unlink()


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
    folder = home.home.absolute() / "postgres"
    storage.prepare(folder)
    with storage.writing(folder), state.locked(folder):
        found = _read(folder)
        if found is not None and found.is_running:
            return _running(folder, found, was_running=True)
        storage.require_room(folder, MIN_FREE_BYTES)
        return _running(folder, _launch(folder, found, port, owner_pid), was_running=False)


def _launch(folder: Path, found: _State | None, port: int, owner_pid: int | None) -> _State:
    """Start it; a free port lost to somebody else costs a try."""
    user = account()
    programs = postgres_install.programs(user)
    if found is None:
        data = place_for(folder, user) / "data"
        if data.exists():
            raise LocalServerError(
                f"The data in {data} is there, but {folder / state.STATE_NAME} with its password is"
                " not: put it back, or remove the data to begin anew."
            )
        found = _State(str(data), secrets.token_urlsafe(24))
        _write(folder, found)
    postgres_install.initialise(programs, Path(found.data), found.password, user)
    for attempts_left in reversed(range(1 if port else _PORT_ATTEMPTS)):
        chosen = port or ports.free_port()
        command = [programs.postgres, *_options(found.data, chosen)]
        server = process.start(
            command,
            Path(found.data).parent,
            _fresh_console(folder),
            process.Owner.of(owner_pid or os.getpid()),
            postgres_install.environment(),
            user=None if user is None else user.uid,
            stop_signal=signal.SIGINT,
        )
        found = msgspec.structs.replace(found, port=chosen, process=server)
        _write(folder, found)
        try:
            _wait_ready(folder, found, server)
        except LocalServerError as error:
            if not attempts_left or "in use" not in str(error):
                raise
        except BaseException:
            _kill(server)
            raise
        else:
            break
    return found


def _options(data: str, port: int) -> list[str]:
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "log_line_prefix": "%m [%p] ",
    }
    named = [("-c", f"{name}={value}") for name, value in settings.items()]
    return ["-D", data, *(part for pair in named for part in pair)]


def _wait_ready(folder: Path, found: _State, server: ServerProcess) -> None:
    """Wait until it takes connections, which it tells in the last line of its pid file."""
    pid_file = Path(found.data) / "postmaster.pid"
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with contextlib.suppress(FileNotFoundError):
            lines = pid_file.read_text(encoding="utf-8", errors="replace").splitlines()
            is_ours = bool(lines) and lines[0].strip() == str(server.pid)
            if is_ours and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready":
                return
        if server.running is None:
            process.wait_ended([server], STOP_TIMEOUT_S)
            raise LocalServerError(f"PostgreSQL did not start: {_reason(folder)}.")
        if time.monotonic() > deadline:
            _kill(server)
            raise LocalServerError(
                f"PostgreSQL was not ready within {START_TIMEOUT_S:.0f} s; its log is"
                f" {folder / _CONSOLE}."
            )
        time.sleep(_LOOK_PAUSE_S)


def _reason(folder: Path) -> str:
    """Take the first severe line of its log, which later ones only follow from."""
    console = (folder / _CONSOLE).read_text(encoding="utf-8", errors="replace")
    for line in console.splitlines():
        for mark in ("could not bind", "FATAL:", "PANIC:"):
            if mark in line:
                return line.partition("] ")[2].partition(":")[2].strip().rstrip(".")
    return failures.reason("", console)


def _fresh_console(folder: Path) -> Path:
    console = folder / _CONSOLE
    console.unlink(missing_ok=True)
    return console


def _kill(server: ServerProcess) -> None:
    """End it and its children at once: those hold its memory until they notice."""
    running = server.running
    family = []
    if running is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = running.children(recursive=True)
    server.signal(signal.SIGKILL)
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
    process.wait_ended([server], STOP_TIMEOUT_S)


def _running(folder: Path, found: _State, *, was_running: bool) -> RunningPostgres:
    assert found.process is not None  # noqa: S101 - it runs
    user = postgres_install.SUPERUSER
    dsn = f"postgresql://{user}:{found.password}@{HOST}:{found.port}/postgres"
    return RunningPostgres(dsn, found.port, found.process.pid, was_running, folder)


@contextlib.contextmanager
def _found(folder: Path) -> Iterator[_State]:
    with state.locked(folder):
        found = _read(folder)
        if found is None:
            raise LocalServerError(f"There is no PostgreSQL in {folder}.")
        yield found


def _read(folder: Path) -> _State | None:
    path = folder / state.STATE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=_State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise LocalServerError(f"{path} cannot be read ({error}).") from None


def _write(folder: Path, found: _State) -> None:
    """Write the state in one step; the password in it is for this user alone."""
    path = folder / state.STATE_NAME
    arriving = path.with_suffix(".new")
    arriving.unlink(missing_ok=True)
    arriving.touch(0o600)
    arriving.write_bytes(msgspec.json.encode(found))
    arriving.replace(path)
