"""The gateway under uvicorn."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import uvicorn

from eventstream.errors import InvalidSetting
from eventstream.gateway.api import make_app
from eventstream.gateway.connection import Connection
from eventstream.gateway.process import GatewayProcess
from eventstream.log.producer import connect, producer_options
from eventstream.observe.logs import configure_logging

if TYPE_CHECKING:
    from types import FrameType

    from eventstream.settings import (
        GatewaySettings,
        HomeSettings,
        KafkaSettings,
        LogSettings,
        ProducerSettings,
    )

log = structlog.get_logger(__name__)

BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Gateway:
    """All that a gateway is started with."""

    settings: GatewaySettings
    kafka: KafkaSettings
    sending: ProducerSettings
    home: HomeSettings
    logs: LogSettings

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT, then answer what was taken and return.

        Raises:
            InvalidSetting: The address cannot be listened on, or the Kafka client refuses an
                option.
        """
        configure_logging(self.logs)
        connect(producer_options(self.kafka, self.sending))
        server = Server(self._config())
        server.take_signals()
        with _listen(self.settings.host, self.settings.port) as listening:
            host, port = listening.getsockname()[:2]
            log.info(
                "gateway listens",
                url=f"http://{host}:{port}",
                kafka=self.kafka.bootstrap_servers,
            )
            server.run([listening])
        log.info("gateway stopped")

    def _config(self) -> uvicorn.Config:
        process = GatewayProcess(self.settings, self.kafka, self.sending, self.home)
        return uvicorn.Config(
            make_app(process, process.lifespan),
            http=Connection if self.settings.fast_lane else "httptools",
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(self.settings.keep_alive_s),
            timeout_graceful_shutdown=int(self.settings.grace_s),
        )


class Server(uvicorn.Server):
    """uvicorn's server with our rules for signals.

    The first one stops it, however early it comes; a second one ends the waiting. Either way the
    process goes on to its end and exits 0, where uvicorn would raise the signal once more.
    """

    def take_signals(self) -> None:
        """Take signals from now on, not only while serving."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take a signal."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; a connection that was accepted but not made yet is told when it is."""
        self.lifespan.state["fast_lane"].stopping = True
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=BACKLOG,
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidSetting(
            f"The gateway cannot listen on {host}:{port}: {reason};"
            " choose another with --host and --port."
        ) from None
