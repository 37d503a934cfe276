"""Ports: fixed ones that must be free, or free ones."""

from __future__ import annotations

import errno
import secrets
import socket
from pathlib import Path

import psutil

from eventstream.errors import LocalServerError
from eventstream.local.config import HOST, Node

CONTROLLER_DISTANCE = 10_000
_LAST = 65_535
_FIRST_FREE = 20_000
_ATTEMPTS = 1000


def choose(brokers: int, first_port: int) -> list[Node]:
    """Give each broker its ports.

    Args:
        brokers: How many.
        first_port: The first broker's port; the next ones follow it, and the controllers' ports lie
            10,000 above (below, where that would be too high). 0 takes free ones.

    Raises:
        LocalServerError: A port is taken, or there is none so high.
    """
    if not first_port:
        free = _free(2 * brokers)
        return [Node(node, free.pop(), free.pop()) for node in range(1, brokers + 1)]
    if first_port + brokers - 1 > _LAST:
        raise LocalServerError(
            f"There are no {brokers} ports from {first_port} on; give a lower --broker-port."
        )
    far = first_port + brokers - 1 + CONTROLLER_DISTANCE > _LAST
    distance = -CONTROLLER_DISTANCE if far else CONTROLLER_DISTANCE
    return [
        Node(index + 1, first_port + index, first_port + index + distance)
        for index in range(brokers)
    ]


def require_free(nodes: list[Node]) -> None:
    """Make sure that nobody listens on these ports.

    Raises:
        LocalServerError: Somebody does; the sentence says who, where that can be told.
    """
    for node in nodes:
        for port in (node.port, node.controller_port):
            if not is_free(port):
                raise LocalServerError(
                    f"Port {port} is taken{_by_whom(port)}; stop that, or give another"
                    " --broker-port (0 takes free ones)."
                )


def free_port() -> int:
    """Return a port that nobody listens on now.

    Raises:
        LocalServerError: None was found.
    """
    return _free(1)[0]


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise LocalServerError(
                    f"This user may not listen on port {port}; give a --broker-port above 1023."
                ) from None
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _free(count: int) -> list[int]:
    """Take ports from below those the system gives to outgoing connections.

    One of those could be in use again by the time the broker listens. The choice is the system's,
    not `random`'s: two test processes that seed that alike would choose the same ports at once.
    """
    last = _first_ephemeral() - 1
    found: set[int] = set()
    for _ in range(_ATTEMPTS):
        port = _FIRST_FREE + secrets.randbelow(last - _FIRST_FREE + 1)
        if port not in found and is_free(port):
            found.add(port)
        if len(found) == count:
            return list(found)
    raise LocalServerError(f"No {count} free ports were found from {_FIRST_FREE} to {last}.")


def _first_ephemeral() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        first = int(text.split()[0])
    except (OSError, ValueError):
        first = 32_768
    return first if first > _FIRST_FREE + _ATTEMPTS else _LAST


def _by_whom(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            is_server = connection.status == psutil.CONN_LISTEN and connection.pid
            if is_server and address and address.port == port:
                process = psutil.Process(connection.pid)
                return f" by {process.name()} (pid {process.pid})"
    except psutil.Error:
        pass
    return ""
