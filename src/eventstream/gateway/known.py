"""Asks, before an endpoint, whether its caller may have what it gives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.gateway.access.access import Caller
from eventstream.gateway.access.credentials import credential_of
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.asgi import respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from eventstream.gateway.access.access import Access
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.problems import Problem


class KnownCallers:
    """Lets through who is known, and where the path names a topic, who may do it there (ASGI).

    Args:
        app: The endpoint.
        access: Knows the callers.
        ask: What a caller must be allowed to do with the topic of the path.
        refuse: Makes the answer to all others.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        ask: Callable[[bytes, str], Problem | None],
        refuse: Callable[[Problem], Answer],
    ) -> None:
        self._app = app
        self._access = access
        self._ask = ask
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        credential = credential_of(scope["headers"])
        topic = scope["path_params"].get("topic")
        problem = self._refusal(credential, topic)
        if problem is RESOLVE:
            fetched = asyncio.Event()
            self._access.resolve(fetched.set)
            await fetched.wait()
            problem = self._refusal(credential, topic)
        if problem is not None:
            await respond(self._refuse(problem), send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, credential: bytes, topic: str | None) -> Problem | None:
        if topic is not None:
            return self._ask(credential, topic)
        found = self._access.caller(credential)
        return None if isinstance(found, Caller) else found
