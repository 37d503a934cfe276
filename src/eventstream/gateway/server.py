"""One gateway process under uvicorn, from its start to its stop.

Alone, it is the process of the command itself. One of several is started by a supervisor, which
gives it its job and the socket they all listen on; when the supervisor is gone the process stops as
it does on SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

import msgspec
import uvicorn

from eventstream.gateway.access.exposure import tls_options
from eventstream.gateway.api import make_app
from eventstream.gateway.config import Gateway
from eventstream.gateway.connection import Connection
from eventstream.gateway.process import GatewayProcess
from eventstream.gateway.slow_lane import SlowLane
from eventstream.observe.logs import configure_logging
from eventstream.supervision.collector import calm_collector
from eventstream.supervision.link import Link, Notice
from eventstream.supervision.signals import stop_signals

if TYPE_CHECKING:
    from types import FrameType


class Job(msgspec.Struct, frozen=True):
    """What a process of several is to do: the gateway, and the number of the socket to serve."""

    gateway: Gateway
    listening: int


def main() -> None:
    """Do the job that the supervisor gives."""
    link = Link.of_command_line()
    job = link.receive_job(Job)
    configure_logging(job.gateway.logs)
    with link.telling_failure(), socket.socket(fileno=job.listening) as listening:
        prepare(job.gateway, link).run([listening])


def prepare(gateway: Gateway, link: Link | None = None) -> Server:
    """Make the server of a process, which takes SIGTERM, SIGINT and SIGHUP from now on.

    Its `run` serves until such a signal, or until the supervisor at the other end of `link` is
    gone, and answers what was taken.
    """
    server = Server(_config(gateway), link)
    server.take_signals()
    return server


def _config(gateway: Gateway) -> uvicorn.Config:
    settings = gateway.settings
    process = GatewayProcess(gateway)
    return uvicorn.Config(
        make_app(process, process.lifespan),
        http=Connection if settings.fast_lane else SlowLane,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(settings.keep_alive_s),
        timeout_graceful_shutdown=int(settings.grace_s),
        **tls_options(gateway.access),
    )


class Server(uvicorn.Server):
    """uvicorn's server with our rules for signals.

    The first one stops it, however early it comes; a second one ends the waiting. Either way the
    process goes on to its end and exits 0, where uvicorn would raise the signal once more.
    """

    def __init__(self, config: uvicorn.Config, link: Link | None = None) -> None:
        super().__init__(config)
        self._link = link

    def take_signals(self) -> None:
        """Take signals from now on, not only while serving."""
        for number in stop_signals():
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take a signal."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell the supervisor so."""
        await super().startup(sockets)
        calm_collector()
        if self._link is not None:
            loop = asyncio.get_running_loop()
            self._link.answer(loop, lambda: self.handle_exit(signal.SIGTERM, None))
            self._link.tell(Notice(ready=True))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; a connection that was accepted but not made yet is told when it is."""
        self.lifespan.state["fast_lane"].stopping = True
        self.lifespan.state["events"].end_streams()
        await super().shutdown(sockets)


if __name__ == "__main__":
    main()
