"""Lets through, before an endpoint, who is known here: for what is neither written nor read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.gateway.access.credentials import credential_of
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.asgi import respond
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from eventstream.gateway.access.access import Access
    from eventstream.gateway.answers import Answer


class KnownCallers:
    """Asks who is calling (ASGI).

    Args:
        app: The endpoint.
        access: Knows the callers.
        refuse: Makes the answer to one who is not.
    """

    def __init__(self, app: ASGIApp, access: Access, refuse: Callable[[Problem], Answer]) -> None:
        self._app = app
        self._access = access
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        credential = credential_of(scope["headers"])
        found = self._access.caller(credential)
        if found is RESOLVE:
            fetched = asyncio.Event()
            self._access.resolve(fetched.set)
            await fetched.wait()
            found = self._access.caller(credential)
        if isinstance(found, Problem):
            await respond(self._refuse(found), send)
        else:
            await self._app(scope, receive, send)
