"""A database server on this machine: what PostgreSQL and Valkey have in common."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import msgspec

from eventstream.errors import LocalServerError
from eventstream.local import ports, process, state, storage
from eventstream.local.process import ServerProcess
from eventstream.local.unprivileged import account, place_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.local.unprivileged import Account

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
_PORT_ATTEMPTS = 3
_LOOK_PAUSE_S = 0.01


class Kind(Protocol):
    """What sets one database server apart from the others.

    Attributes:
        name: What people call it.
        folder: Where it lives in a home.
        min_free_bytes: Room on the disk without which it is not started.
        stop_signal: What asks it to stop cleanly, its clients' connections cut.
        data_holds_password: Whether data of which the password is lost is of no use.
    """

    name: str
    folder: str
    min_free_bytes: int
    stop_signal: signal.Signals
    data_holds_password: bool

    def program(self, user: Account | None) -> Path:
        """Find the server's program where `user` can run it.

        Raises:
            LocalServerError: It is not installed.
        """

    def prepare(self, program: Path, data: Path, password: str, user: Account | None) -> None:
        """Make the data folder, or make sure that the one there can be used.

        Raises:
            LocalServerError: Neither is possible.
        """

    def arguments(self, data: Path, port: int, password: str) -> list[str]:
        """Return the program's arguments; other users of the machine can read them."""

    def is_ready(self, data: Path, server: ServerProcess, console: str) -> bool:
        """Whether it takes connections, as its data folder or what it wrote tells."""

    def reason(self, console: str) -> str:
        """Say in a few words why it ended while it started, from what it wrote."""

    def url(self, port: int, password: str) -> str:
        """Return how clients reach it, password included."""


class _State(msgspec.Struct, frozen=True):
    """What the folder remembers: how to get in, and the process."""

    data: str
    password: str
    port: int = 0
    process: ServerProcess | None = None

    @property
    def running(self) -> ServerProcess | None:
        """Its process, if it runs."""
        is_running = self.process is not None and self.process.running is not None
        return self.process if is_running else None


@dataclass(frozen=True, slots=True)
class RunningDatabase:
    """A database server that was started, or found running.

    Attributes:
        port: Where it listens, on the loopback address alone.
        was_running: Whether it ran before it was asked for.
        process: Its first process.
        log: The file of its output.
        url: How clients reach it, password included.
    """

    port: int
    was_running: bool
    process: ServerProcess
    log: Path
    url: str = field(repr=False)
    _kind: Kind = field(repr=False)

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return self.process.pid

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop it cleanly, its clients' connections cut; kill it after `timeout_s`."""
        with self._found() as found:
            if found.process is not None:
                found.process.signal(signal.SIGCONT)
                found.process.signal(self._kind.stop_signal)
                if process.wait_ended([found.process], timeout_s):
                    process.kill_family(found.process, STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill all its processes at once, as a crash would."""
        with self._found() as found:
            if found.process is not None:
                process.kill_family(found.process, STOP_TIMEOUT_S)

    def restart(self) -> Self:
        """Start it again on its data and its port; one that runs is left alone.

        Raises:
            LocalServerError: It cannot start.
        """
        return start(type(self), self._kind, self.log.parent.parent, self.port)

    def discard(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        with self._found() as found:
            folder, data = self.log.parent, Path(found.data)
            shutil.rmtree(data if data.parent == folder else data.parent)
            (folder / state.STATE_NAME).unlink()

    @contextmanager
    def _found(self) -> Iterator[_State]:
        with state.locked(self.log.parent):
            found = _read(self.log.parent)
            if found is None:
                raise LocalServerError(f"There is no {self._kind.name} in {self.log.parent}.")
            yield found


Running = TypeVar("Running", bound=RunningDatabase)


def start(
    running: type[Running], kind: Kind, home: Path, port: int = 0, owner_pid: int | None = None
) -> Running:
    """Start a database server, or find the one that runs in this home; returns once it answers.

    Args:
        running: What to return it as.
        kind: Which server.
        home: Its state and its log are in a folder there, and so is its data where its user can
            reach that.
        port: Where it listens; 0 takes a free one.
        owner_pid: The process it ends with; this one by default.

    Raises:
        LocalServerError: It cannot start; the sentence says why.
    """
    folder = home.absolute() / kind.folder
    storage.prepare(folder)
    with storage.writing(folder), state.locked(folder):
        found = _read(folder)
        if found is not None and found.running is not None:
            return _facts(running, kind, folder, found, found.running, was_running=True)
        found, server = _launch(kind, folder, found, port, owner_pid or os.getpid())
        return _facts(running, kind, folder, found, server, was_running=False)


def find(running: type[Running], kind: Kind, home: Path) -> Running | None:
    """Find the server that runs in this home; `None` where none does.

    Raises:
        LocalServerError: What the folder remembers cannot be read.
    """
    folder = home.absolute() / kind.folder
    found = _read(folder)
    if found is None or found.running is None:
        return None
    return _facts(running, kind, folder, found, found.running, was_running=True)


def _facts(
    running: type[Running],
    kind: Kind,
    folder: Path,
    found: _State,
    server: ServerProcess,
    *,
    was_running: bool,
) -> Running:
    url = kind.url(found.port, found.password)
    return running(found.port, was_running, server, _console(kind, folder), url, kind)


def _launch(
    kind: Kind, folder: Path, found: _State | None, port: int, owner_pid: int
) -> tuple[_State, ServerProcess]:
    """Start it; a free port lost to somebody else costs a try."""
    user = account()
    program = kind.program(user)
    if found is None:
        found = _begin(kind, folder, user)
    data = Path(found.data)
    storage.require_room(data.parent, kind.min_free_bytes, kind.name)
    kind.prepare(program, data, found.password, user)
    attempts_left = 1 if port else _PORT_ATTEMPTS
    while True:
        attempts_left -= 1
        chosen = port or ports.free_port()
        console = _console(kind, folder)
        console.unlink(missing_ok=True)
        server = process.start(
            [str(program), *kind.arguments(data, chosen, found.password)],
            data,
            console,
            process.Owner.of(owner_pid),
            process.bare_environment(),
            user=None if user is None else user.uid,
            stop_signal=kind.stop_signal,
        )
        found = msgspec.structs.replace(found, port=chosen, process=server)
        _write(folder, found)
        try:
            _wait_ready(kind, data, server, console)
        except LocalServerError as error:
            if not attempts_left or "in use" not in str(error):
                raise
        except BaseException:
            process.kill_family(server, STOP_TIMEOUT_S)
            raise
        else:
            return found, server


def _begin(kind: Kind, folder: Path, user: Account | None) -> _State:
    """Choose the password of a server that has none yet."""
    data = place_for(folder, user) / "data"
    if kind.data_holds_password and data.exists():
        raise LocalServerError(
            f"The data in {data} is there, but {folder / state.STATE_NAME} with its password is"
            " not: put it back, or remove the data to begin anew."
        )
    found = _State(str(data), secrets.token_urlsafe(24))
    _write(folder, found)
    return found


def _wait_ready(kind: Kind, data: Path, server: ServerProcess, console: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not kind.is_ready(data, server, _text(console)):
        if server.running is None:
            process.wait_ended([server], STOP_TIMEOUT_S)
            raise LocalServerError(
                f"{kind.name} did not start: {kind.reason(_text(console))}; its log is {console}."
            )
        if time.monotonic() > deadline:
            process.kill_family(server, STOP_TIMEOUT_S)
            raise LocalServerError(
                f"{kind.name} was not ready within {START_TIMEOUT_S:.0f} s; its log is {console}."
            )
        time.sleep(_LOOK_PAUSE_S)


def _console(kind: Kind, folder: Path) -> Path:
    return folder / f"{kind.folder}.log"


def _text(console: Path) -> str:
    return console.read_text(encoding="utf-8", errors="replace")


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
