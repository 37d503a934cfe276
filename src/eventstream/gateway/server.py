"""The gateway under uvicorn."""

from __future__ import annotations

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
        with _listen(self.settings.host, self.settings.port) as listening:
            host, port = listening.getsockname()[:2]
            log.info(
                "gateway listens",
                url=f"http://{host}:{port}",
                kafka=self.kafka.bootstrap_servers,
            )
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _already_stopped)
            uvicorn.Server(self._config()).run([listening])
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


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=BACKLOG,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidSetting(
            f"The gateway cannot listen on {host}:{port}: {reason};"
            " choose another with --host and --port."
        ) from None


def _already_stopped(number: int, frame: FrameType | None) -> None:
    """Take the signal that uvicorn raises once more after it has stopped for it, and exit 0."""
