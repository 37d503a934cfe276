"""When a cluster is ready, and why it will never be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eventstream.errors import KafkaUnavailable, LocalServerError
from eventstream.local import config, failures, ports
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eventstream.local.state import State

TIMEOUT_S = 90.0
_LOOK_PAUSE_S = 0.01
_TAIL_BYTES = 200_000


def wait(folder: Path, cluster: State, nodes: Sequence[int]) -> None:
    """Wait until each of these brokers answers clients, and knows every broker that runs.

    Raises:
        LocalServerError: One of them ended, or it takes too long.
    """
    deadline = time.monotonic() + TIMEOUT_S
    expected = {broker.node for broker in cluster.running} | set(nodes)
    for node in nodes:
        port = cluster.broker(node).port
        while not ports.is_listening(port):
            _pause(folder, cluster, nodes, deadline)
        admin = Admin(KafkaSettings(bootstrap_servers=config.addresses([port])))
        while not expected <= _known(admin, cluster.cluster_id):
            _pause(folder, cluster, nodes, deadline)


def _known(admin: Admin, cluster_id: str) -> set[int]:
    """Return the brokers of this cluster that answer; none where another holds the port."""
    try:
        found = admin.cluster(timeout_s=1.0)
    except KafkaUnavailable:
        return set()
    return set(found.brokers) if found.cluster_id == cluster_id else set()


def _pause(folder: Path, cluster: State, nodes: Sequence[int], deadline: float) -> None:
    for node in nodes:
        if not cluster.broker(node).is_running:
            log = folder / str(node) / config.LOG
            reason = failures.reason(_tail(log), _tail(log.with_name(config.CONSOLE)))
            raise LocalServerError(
                f"Kafka's broker {node} ended while it started: {reason} (its log: {log})."
            )
    if time.monotonic() > deadline:
        raise LocalServerError(
            f"Kafka did not answer within {TIMEOUT_S:.0f} seconds; see the brokers' logs in"
            f" {folder}."
        )
    time.sleep(_LOOK_PAUSE_S)


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
