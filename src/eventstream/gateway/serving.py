"""A gateway on this machine: its address and its processes."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import InvalidSetting
from eventstream.gateway.access.access import Access
from eventstream.gateway.access.cors import Cors
from eventstream.gateway.access.exposure import require_protection, tls_options
from eventstream.gateway.idempotency.stores import make_store
from eventstream.gateway.process import FLUSH_TIMEOUT_S
from eventstream.gateway.schemas import Schemas
from eventstream.gateway.server import Job, prepare
from eventstream.log.rdkafka import connect, producer_options
from eventstream.observe.logs import configure_logging
from eventstream.supervision.child import Program
from eventstream.supervision.link import encode_job
from eventstream.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from eventstream.gateway.config import Gateway
    from eventstream.gateway.idempotency.contract import Store

log = structlog.get_logger(__name__)

BACKLOG = 4096
EXIT_MARGIN_S = 10.0


def serve(gateway: Gateway) -> int:
    """Serve until SIGTERM or SIGINT, then answer what was taken.

    Several processes listen on one socket, so a connection waits for any of them and none is
    refused while one is replaced. SIGHUP replaces them one after the other, and stops one that is
    alone.

    Returns:
        The exit status: 0 if everything ended well.

    Raises:
        InvalidSetting: The address cannot be listened on, or the Kafka client refuses an option.
    """
    configure_logging(gateway.logs)
    check(gateway)
    status = 0
    with _listen(gateway.settings.host, gateway.settings.port) as listening:
        if gateway.settings.workers > 1:
            status = asyncio.run(_supervise(gateway, listening))
        else:
            server = prepare(gateway)
            _announce(gateway, listening)
            server.run([listening])
    log.info("gateway stopped")
    return status


def check(gateway: Gateway) -> None:
    """Look before anything is started whether a process of this gateway could run.

    Raises:
        InvalidSetting: It could not.
        StoreUnavailable: The store of idempotency keys does not answer.
    """
    for warning in require_protection(gateway.settings.host, gateway.access):
        log.warning(warning)
    tls_options(gateway.access)
    Cors(gateway.access.cors_origins)
    Access(gateway.access)
    Schemas(gateway.schemas)
    connect(producer_options(gateway.kafka, gateway.sending))
    asyncio.run(_open_once(make_store(gateway.idempotency, time.monotonic)))


async def _open_once(store: Store) -> None:
    async with store:
        pass


async def _supervise(gateway: Gateway, listening: socket.socket) -> int:
    number = listening.fileno()
    job = encode_job(Job(gateway, number))
    supervisor = Supervisor(
        Program("gateway", "eventstream.gateway.server", lambda _: job, (number,)),
        gateway.settings.workers,
        gateway.settings.grace_s + FLUSH_TIMEOUT_S + EXIT_MARGIN_S,
        on_stop=listening.close,
    )
    _announce(gateway, listening)
    return await supervisor.run()


def _announce(gateway: Gateway, listening: socket.socket) -> None:
    """Say where requests are taken; signals are taken too by now."""
    host, port = listening.getsockname()[:2]
    log.info(
        "gateway listens",
        url=f"{'https' if gateway.access.tls_cert else 'http'}://{host}:{port}",
        kafka=gateway.kafka.bootstrap_servers,
    )


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
