"""A bound on what a Kafka client may send, asked of the broker in Kafka's own protocol.

librdkafka has no call for it. Source: kafka.apache.org/protocol, AlterClientQuotas (key 49),
version 0, with request header 1 and response header 0.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

from eventstream.errors import LocalServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0
_ALTER_CLIENT_QUOTAS = 49
_VERSION = 0
_CORRELATION = 1
_ERROR_AT = 12
"""Where the first entry's error code stands: behind correlation, throttle time and count."""


@contextlib.contextmanager
def producing_at_most(kafka: KafkaSettings, client_id: str, bytes_per_s: float) -> Iterator[None]:
    """Hold clients of this id to so many bytes a second per broker, for as long as this is open.

    Raises:
        LocalServerError: The broker refuses.
    """
    _alter(kafka, quota_request(client_id, bytes_per_s))
    try:
        yield
    finally:
        _alter(kafka, quota_request(client_id, None))


def quota_request(client_id: str, bytes_per_s: float | None) -> bytes:
    """Write the request that sets a client's `producer_byte_rate`, or removes it; pure."""
    entity = struct.pack(">i", 1) + _string("client-id") + _string(client_id)
    change = _string("producer_byte_rate") + struct.pack(
        ">d?", bytes_per_s or 0.0, bytes_per_s is None
    )
    entries = struct.pack(">i", 1) + entity + struct.pack(">i", 1) + change
    only_validate = b"\0"
    head = struct.pack(">hhi", _ALTER_CLIENT_QUOTAS, _VERSION, _CORRELATION) + _string("bench")
    request = head + entries + only_validate
    return struct.pack(">i", len(request)) + request


def _alter(kafka: KafkaSettings, request: bytes) -> None:
    host, _, port = kafka.bootstrap_servers.split(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            content = answer.read(size)
    (error,) = struct.unpack_from(">h", content, _ERROR_AT)
    if error:
        raise LocalServerError(f"Kafka refuses a quota for the measurement (error {error}).")


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
