"""The REST Proxy's produce targets, v2 and v3: what the path and the media type say; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from eventstream.gateway.formats.rest_proxy.batch_v3 import RecordsBatchV3
from eventstream.gateway.formats.rest_proxy.media_types import check_v3, format_of_v2
from eventstream.gateway.formats.rest_proxy.produce_v2 import JSON_V2
from eventstream.gateway.formats.rest_proxy.produce_v3 import RecordsV3
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.routes import Refused, Route
from eventstream.gateway.targets.names import topic_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPICS = b"/topics/"
CLUSTERS = b"/v3/clusters/"
_v2 = re.compile(rb"/topics/([^/]+)(?:/partitions/([^/]+))?").fullmatch
_v3 = re.compile(rb"/v3/clusters/([^/]+)/topics/([^/]+)/records(:batch)?").fullmatch
_NUMBER = re.compile(rb"[0-9]{1,10}").fullmatch
_LAST_PARTITION = 2**31 - 1


def v2_route(
    path: bytes, headers: Sequence[tuple[bytes, bytes]], credential: bytes
) -> Route | Refused | None:
    """Read `/topics/{topic}` or `/topics/{topic}/partitions/{partition}`; `None` for another."""
    match = _v2(path)
    if match is None:
        return None
    try:
        format_ = format_of_v2(_content_type(headers))
        partition = -1 if match[2] is None else _partition(match[2])
        return Route(topic_of(match[1]), format_, partition=partition, credential=credential)
    except Rejected as rejected:
        return Refused(rejected.problem, JSON_V2)


def v3_route(
    path: bytes, headers: Sequence[tuple[bytes, bytes]], credential: bytes
) -> Route | Refused | None:
    """Read `/v3/clusters/{id}/topics/{topic}/records` or `…:batch`; `None` for another path."""
    match = _v3(path)
    if match is None:
        return None
    cluster = unquote_to_bytes(match[1]).decode("utf-8", "replace")
    format_ = RecordsV3(cluster) if match[3] is None else RecordsBatchV3(cluster)
    try:
        check_v3(_content_type(headers))
        return Route(topic_of(match[2]), format_, credential=credential)
    except Rejected as rejected:
        return Refused(rejected.problem, format_)


def _content_type(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")


def _partition(segment: bytes) -> int:
    number = int(segment) if _NUMBER(segment) else _LAST_PARTITION + 1
    if number > _LAST_PARTITION:
        raise Rejected(
            Problem(
                404,
                "unknown-partition",
                f"{segment[:100].decode('latin-1')!r} is no partition; give its number.",
            )
        )
    return number
