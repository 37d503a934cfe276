"""Paths whose segments have an encoded slash in them, on their way to the routes.

A server hands the path on decoded, so that `/publish/a%2Fb` would look as `/publish/a/b` does. Yet
an encoded slash is a segment's own character, and parts none (RFC 3986, section 2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class WholeSegments:
    """ASGI middleware: leaves slashes within segments encoded.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "http" and b"%2f" in scope["raw_path"].lower():
            segments = scope["raw_path"].decode("latin-1").split("/")
            path = "/".join(unquote(segment).replace("/", "%2F") for segment in segments)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)
