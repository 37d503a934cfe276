"""Pages of other origins before the application: refused, answered what they ask, or let through.

The fast lane leaves every request with an `Origin` to ASGI, so this is the one place for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.asgi import respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from eventstream.gateway.access.cors import Cors
    from eventstream.gateway.answers import Answer


class CrossOrigin:
    """ASGI middleware.

    Args:
        app: The application.
        cors: Knows which origins may call.
    """

    def __init__(self, app: ASGIApp, cors: Cors) -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        answer = self._answer(scope["method"], origin, headers)
        if answer is not None:
            await respond(answer, send)
            return
        fields = self._cors.fields(origin)

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *fields]
            await send(message)

        await self._app(scope, receive, send_with_fields if fields else send)

    def _answer(self, method: str, origin: bytes, headers: dict[bytes, bytes]) -> Answer | None:
        if method == "OPTIONS":
            preflight = self._cors.preflight(
                origin,
                headers.get(b"access-control-request-method", b""),
                headers.get(b"access-control-request-headers", b""),
            )
            if preflight is not None:
                return preflight
        refusal = self._cors.refusal(origin, headers.get(b"host", b""))
        return None if refusal is None else problem_answer(refusal)
