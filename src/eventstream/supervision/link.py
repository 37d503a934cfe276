"""A supervised process's end of the socket to its supervisor.

The process is started as `python -m MODULE DESCRIPTOR`. Over the socket of that number it gets its
job as one line of JSON, and says a line once its event loop turns; then it gets a line now and
then, and gives it back from the loop. Those lines are empty; a line with something in it is a
`Notice`. When the socket closes, the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

Job = TypeVar("Job")

log = structlog.get_logger(__name__)

MISCONFIGURED = 78
"""Exit status of a process that another start would not help (EX_CONFIG of sysexits.h)."""

LONGEST_FAILURE = 500


class Notice(msgspec.Struct, omit_defaults=True):
    """What a process tells its supervisor.

    Attributes:
        ready: It does its work from now on.
        failure: Why it is about to end.
        files: The files it loaded its program from, and when each was changed last, in ns.
    """

    ready: bool = False
    failure: str = ""
    files: dict[str, int] = {}


def encode_job(job: Any) -> bytes:
    """Write a job, a struct or dataclass of settings, as one line."""
    return msgspec.json.encode(job, enc_hook=str) + b"\n"


def decode_job(line: bytes, kind: type[Job]) -> Job:
    """Read what `encode_job` wrote."""
    return msgspec.json.decode(line, type=kind, dec_hook=_decode_path)


def _decode_path(kind: type[Any], text: Any) -> Any:
    return kind(text) if issubclass(kind, Path) else text


class Link:
    """The socket to the supervisor.

    Args:
        descriptor: Its number, which the command line gives.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)

    @classmethod
    def of_command_line(cls) -> Link:
        """Take up the link this process was started with."""
        return cls(int(sys.argv[1]))

    def receive_job(self, kind: type[Job]) -> Job:
        """Wait for the job; exits if the supervisor is gone before it gave one."""
        line = b""
        while not line.endswith(b"\n"):
            received = self._socket.recv(65_536)
            if not received:
                sys.exit(MISCONFIGURED)
            line += received
        return decode_job(line, kind)

    def tell(self, notice: Notice) -> None:
        """Tell the supervisor something, if it is still there."""
        with contextlib.suppress(OSError):
            self._socket.sendall(msgspec.json.encode(notice) + b"\n")

    @contextlib.contextmanager
    def telling_failure(self) -> Iterator[None]:
        """Tell the supervisor of an exception that ends the process."""
        try:
            yield
        except Exception as error:
            self.tell_failure(f"{type(error).__name__}: {error}")
            raise

    def tell_failure(self, why: str) -> None:
        """Tell the supervisor why this process is about to end, on one line."""
        self.tell(Notice(failure=" ".join(why.split())[:LONGEST_FAILURE]))

    def answer(self, loop: asyncio.AbstractEventLoop, on_gone: Callable[[], None]) -> None:
        """Say that the loop turns, and answer the supervisor from it.

        Args:
            loop: The process's event loop.
            on_gone: Called in the loop once the supervisor is gone.
        """
        self._socket.setblocking(False)
        self._socket.send(b"\n")
        loop.add_reader(self._socket, self._answer, loop, on_gone)

    def _answer(self, loop: asyncio.AbstractEventLoop, on_gone: Callable[[], None]) -> None:
        try:
            asked = self._socket.recv(4096)
            if asked:
                self._socket.send(asked)
                return
        except OSError:
            pass
        log.warning("the supervisor is gone; stopping")
        loop.remove_reader(self._socket)
        on_gone()
