"""Which reader a publish request's target has; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.access.credentials import credential_of
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.problems import Rejected
from eventstream.gateway.routes import Refused
from eventstream.gateway.targets.native import PUBLISH, native_route
from eventstream.gateway.targets.rest_proxy import CLUSTERS, TOPICS, v2_route, v3_route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.routes import Route

FIRST_BYTES = (b"POST " + PUBLISH, b"POST " + TOPICS, b"POST " + CLUSTERS)
"""What every request line begins with whose target one of the readers may know."""


class Targets:
    """Reads the heads of publish requests.

    Args:
        default_topic: The topic of `POST /publish`.
    """

    def __init__(self, default_topic: str) -> None:
        self._default_topic = default_topic

    def read(
        self, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> Route | Refused | None:
        """Read a head.

        Args:
            path: The target's path, still percent-encoded.
            query: The query without its question mark, still percent-encoded.
            headers: Names in lower case, and values.

        Returns:
            The route, or why there is none, or `None` when the path is not one to publish at.
        """
        credential = credential_of(headers)
        if path.startswith(TOPICS):
            return v2_route(path, headers, credential)
        if path.startswith(CLUSTERS):
            return v3_route(path, headers, credential)
        if not _is_native(path):
            return None
        try:
            return native_route(path, query, headers, self._default_topic, credential)
        except Rejected as rejected:
            return Refused(rejected.problem, RAW)


def _is_native(path: bytes) -> bool:
    beyond = path[len(PUBLISH) :]
    return path.startswith(PUBLISH) and (
        not beyond or (beyond.startswith(b"/") and b"/" not in beyond[1:])
    )
