"""The ASGI application: everything that is not the fast lane, and the publish routes once more."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as At

from eventstream.errors import EventstreamError
from eventstream.gateway.answers import Answer, problem_answer
from eventstream.gateway.cross_origin import CrossOrigin
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.lane import LAST_CALL_S, PATIENCE_BYTES
from eventstream.gateway.problems import (
    TOO_SLOW,
    Problem,
    Rejected,
    body_too_large,
    problem_of,
)
from eventstream.gateway.routes import Route
from eventstream.observe.exposition import CONTENT_TYPE as METRICS_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Lifespan, Receive, Scope, Send

    from eventstream.gateway.process import GatewayProcess

READY_TIMEOUT_S = 2.0


def make_app(gateway: GatewayProcess, lifespan: Lifespan[Starlette]) -> Starlette:
    """Make the application of one gateway process."""
    publish = PublishEndpoint(gateway)
    app = Starlette(
        routes=[
            At("/publish", publish, methods=["POST"]),
            At("/publish/", publish, methods=["POST"]),
            At("/publish/{topic}", publish, methods=["POST"]),
            At("/healthz", healthz),
            At("/readyz", Readiness(gateway)),
            At("/metrics", Metrics(gateway.render_metrics)),
        ],
        exception_handlers={HTTPException: no_such_route},
        lifespan=lifespan,
        middleware=[Middleware(CrossOrigin, gateway.cors)],
    )
    app.router.redirect_slashes = False
    return app


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
        fields = [*answer.fields, (b"content-length", b"%d" % len(answer.body))]
        if close:
            fields.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body, "more_body": close})
        if close:
            await _discard(request)
            await send({"type": "http.response.body"})

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
                body = await _body(request, gateway.settings.max_body_bytes)
        except Rejected as rejected:
            gateway.publishing.refuse(rejected.problem, RAW, reply)
            return await reply.answered, True
        except TimeoutError:
            gateway.publishing.refuse(TOO_SLOW, RAW, reply)
            return await reply.answered, True
        assert isinstance(route, Route)  # noqa: S101 - one that is refused ended above
        gateway.publishing.publish(route, body, reply)
        return await reply.answered, False


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


async def _body(request: Request, limit: int) -> bytes:
    declared = _declared(request)
    if declared > limit:
        raise Rejected(body_too_large(declared, limit))
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Rejected(body_too_large(size, limit))
        chunks.append(chunk)
    return b"".join(chunks)


class Reply:
    """Waits for one answer."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answer(self, answer: Answer) -> None:
        """Take the answer; nobody may be waiting for it any more."""
        if not self.answered.done():
            self.answered.set_result(answer)


async def healthz(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
    """Alive: the event loop answers."""
    return JSONResponse({"status": "alive"})


class Readiness:
    """Ready: Kafka answers now and every partition of the default topic has a leader."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        await (await self._response())(scope, receive, send)

    async def _response(self) -> Response:
        topic = self._gateway.settings.default_topic
        loop = asyncio.get_running_loop()
        try:
            leaderless = await loop.run_in_executor(
                None, self._gateway.producer.leaderless, topic, READY_TIMEOUT_S
            )
        except EventstreamError as error:
            problem = problem_of(error)._replace(status=HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            if not leaderless:
                return JSONResponse({"status": "ready", "topic": topic})
            problem = Problem(
                503,
                "kafka-unavailable",
                f"Topic {topic!r}: nobody leads partitions {leaderless} now; try again.",
                retry_after_s=1,
            )
        return _response(problem)


class Metrics:
    """All metrics of this machine's processes in Prometheus' text format."""

    def __init__(self, render: Callable[[], bytes]) -> None:
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        response = Response(self._render(), media_type=METRICS_CONTENT_TYPE)
        await response(scope, receive, send)


async def no_such_route(request: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    path = request.url.path[:200]
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible on {path}; see the Allow header."
        problem = Problem(405, "method-not-allowed", detail)
    else:
        problem = Problem(error.status_code, "no-such-route", f"There is nothing at {path}.")
    return _response(problem, dict(error.headers or {}))


def _response(problem: Problem, more: dict[str, str] | None = None) -> Response:
    answer = problem_answer(problem)
    fields = {name.decode(): value.decode() for name, value in answer.fields}
    return Response(answer.body, answer.status, headers={**fields, **(more or {})})
