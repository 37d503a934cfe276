"""Delivery reports of v3, as bytes; pure.

Source: `v3/ProduceResponse.java`, `ChunkedOutputFactory.java` (each report is followed by CR LF),
`StreamingResponse.java`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.formats.rest_proxy.error_codes import told_of_a_record

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Placed
    from eventstream.gateway.problems import Problem

SEPARATOR = b"\r\n"
_encode = msgspec.json.encode


class Reporter:
    """Writes the reports of one request's records.

    Args:
        cluster_id: As the path names it; it is not checked, as in Confluent's own gateway.
        topic: The topic of all of them.
    """

    __slots__ = ("_timed", "_timeless")

    def __init__(self, cluster_id: str, topic: str) -> None:
        where = b'"cluster_id":%b,"topic_name":"%b"' % (_encode(cluster_id), topic.encode())
        place = where.replace(b"%", b"%%") + b',"partition_id":%d,"offset":%d'
        self._timed = b"{%b" + place + b',"timestamp":"%b"%b}'
        self._timeless = b"{%b" + place + b"%b}"

    def report(self, placed: Placed, sizes: bytes, first: bytes = b'"error_code":200,') -> bytes:
        """Report an acknowledged record.

        Args:
            placed: Where it stands.
            sizes: From its draft.
            first: What the report begins with, and a comma.
        """
        partition, offset, timestamp_ms = placed
        if timestamp_ms < 0:
            return self._timeless % (first, partition, offset, sizes)
        return self._timed % (first, partition, offset, instant(timestamp_ms), sizes)


@lru_cache(maxsize=256)
def reporter_of(cluster_id: str, topic: str) -> Reporter:
    """Give the reporter of a request; the next request to the topic has the same."""
    return Reporter(cluster_id, topic)


def error_report(problem: Problem) -> bytes:
    """Report a record that is not in the log, or may not be."""
    code, message = told_of_a_record(problem)
    return b'{"error_code":%d,"message":%b}' % (code, _encode(message))


def instant(timestamp_ms: int) -> bytes:
    """Write a time as Java's `DateTimeFormatter.ISO_INSTANT` does.

    Args:
        timestamp_ms: Milliseconds since the epoch, before the year 10000.
    """
    seconds, beyond = divmod(timestamp_ms, 1000)
    if beyond:
        return b"%b.%03dZ" % (_second(seconds), beyond)
    return b"%bZ" % _second(seconds)


@lru_cache(maxsize=256)
def _second(seconds: int) -> bytes:
    """Write a second; most requests of a moment share it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
