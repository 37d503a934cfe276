"""The publish routes over ASGI: on the same core as the fast lane, and with the same answers."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from eventstream.gateway.asgi import respond
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.lane import LAST_CALL_S, PATIENCE_BYTES
from eventstream.gateway.problems import TOO_SLOW, Rejected, body_too_large
from eventstream.gateway.routes import Refused, Route
from eventstream.gateway.streaming import RecordStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from eventstream.gateway.answers import Answer
    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.process import GatewayProcess

REPORTS_WAITING = 1000
"""How many records of one stream may wait for their reports to be written."""


class PublishEndpoint:
    """The publish routes, on the same core as the fast lane and with the same answers."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        try:
            answer, close = await self._answer(request)
        except ClientDisconnect:
            return
        await respond(answer, send, partial(_discard, request) if close else None)

    async def _answer(self, request: Request) -> tuple[Answer, bool]:
        gateway = self._gateway
        scope, reply = request.scope, Reply()
        route = gateway.targets.read(scope["raw_path"], scope["query_string"], scope["headers"])
        assert route is not None  # noqa: S101 - starlette's routes are among the targets
        refused = gateway.publishing.refusal(route)
        if refused is not None:
            gateway.publishing.refuse(refused.problem, refused.format, reply)
            return await reply.answered, not await _is_whole(request)
        try:
            async with asyncio.timeout(gateway.settings.request_timeout_s):
                body = await self._body(request, gateway.settings.max_body_bytes)
        except Rejected as rejected:
            gateway.publishing.refuse(rejected.problem, RAW, reply)
            return await reply.answered, True
        except TimeoutError:
            gateway.publishing.refuse(TOO_SLOW, RAW, reply)
            return await reply.answered, True
        assert isinstance(route, Route)  # noqa: S101 - one that is refused ended above
        gateway.publishing.publish(route, body, reply)
        return await reply.answered, False

    async def _body(self, request: Request, limit: int) -> bytes:
        declared = _declared(request)
        if declared > limit:
            raise Rejected(body_too_large(declared, limit))
        admission = self._gateway.publishing.admission
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                admission.enter(0, len(chunk))
                if size > limit:
                    raise Rejected(body_too_large(size, limit))
                chunks.append(chunk)
        finally:
            admission.leave(0, size)
        return b"".join(chunks)


class RecordsEndpoint:
    """v3's records: a body of known length as any other, one in chunks as a stream.

    Args:
        gateway: The process.
        whole: Answers the former.
    """

    def __init__(self, gateway: GatewayProcess, whole: PublishEndpoint) -> None:
        self._gateway = gateway
        self._whole = whole
        self._stream = RecordStream(
            self,
            self._route,
            max_record_bytes=gateway.settings.max_body_bytes,
            max_waiting=REPORTS_WAITING,
            silence_timeout_s=gateway.settings.request_timeout_s,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if all(name != b"transfer-encoding" for name, _ in scope["headers"]):
            await self._whole(scope, receive, send)
            return
        route = self._read(scope)
        if isinstance(route, Route):
            # Where a token's signing key has to be fetched, that is done before the stream begins.
            await self._gateway.access.admit(route.credential, route.topic, events=0)
        await self._stream(scope, receive, send)

    def _read(self, scope: Scope) -> Route | Refused | None:
        return self._gateway.targets.read(
            scope["raw_path"], scope["query_string"], scope["headers"]
        )

    def _route(self, scope: Scope) -> Route:
        route = self._read(scope)
        assert route is not None  # noqa: S101 - starlette's routes are among the targets
        refused = self._gateway.publishing.refusal(route)
        if refused is not None:
            self._gateway.publishing.counters.answered(refused.problem.status)
            raise Rejected(refused.problem)
        assert isinstance(route, Route)  # noqa: S101 - one that is refused ended above
        return route

    def publish(self, route: Route, record: Record, on_outcome: Callable[[Outcome], None]) -> None:
        """Publish one record of a stream."""
        self._gateway.publishing.publish_records(
            route, (record,), lambda outcomes: on_outcome(outcomes[0])
        )


async def _is_whole(request: Request) -> bool:
    """Read the body of a request that is refused: whether that is done, and the connection kept.

    One that waits to be told to send it is not told (RFC 9110, section 10.1.1).
    """
    if "expect" in request.headers or _declared(request) > PATIENCE_BYTES:
        return False
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_CALL_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > PATIENCE_BYTES:
                    return False
            return True
    return False


def _declared(request: Request) -> int:
    return int(request.headers.get("content-length", 0))


async def _discard(request: Request) -> None:
    """Read what a refused client is still sending, for a moment: it may then read its answer."""
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(LAST_CALL_S):
            async for _ in request.stream():
                pass


class Reply:
    """Waits for one answer."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answer(self, answer: Answer) -> None:
        """Take the answer; nobody may be waiting for it any more."""
        if not self.answered.done():
            self.answered.set_result(answer)
