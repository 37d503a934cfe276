"""How a broker is now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import psutil

from eventstream.local import storage

if TYPE_CHECKING:
    from pathlib import Path

    from eventstream.local.state import Broker


class BrokerStatus(NamedTuple):
    """One broker as it is now.

    Attributes:
        node: Its node id.
        pid: Its process, or `None` when it is dead.
        port: Where clients reach it.
        state: `running`, `paused` or `dead`.
        uptime_s: Seconds since its process started; 0 when it is dead.
        memory_bytes: Its resident memory.
        data_bytes: What its data takes on disk.
    """

    node: int
    pid: int | None
    port: int
    state: str
    uptime_s: float
    memory_bytes: int
    data_bytes: int


def look(folder: Path, broker: Broker) -> BrokerStatus:
    """Look at one broker of the cluster in `folder`."""
    data_bytes = storage.size_bytes(folder, broker.node)
    process = broker.process.running if broker.process else None
    try:
        if process is not None:
            with process.oneshot():
                is_paused = process.status() == psutil.STATUS_STOPPED
                return BrokerStatus(
                    broker.node,
                    process.pid,
                    broker.port,
                    "paused" if is_paused else "running",
                    max(0.0, time.time() - process.create_time()),
                    process.memory_info().rss,
                    data_bytes,
                )
    except psutil.NoSuchProcess:
        pass
    return BrokerStatus(broker.node, None, broker.port, "dead", 0.0, 0, data_bytes)
