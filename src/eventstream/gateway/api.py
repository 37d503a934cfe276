"""The ASGI application: everything that is not the fast lane, and the publish routes once more."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.routing import Route as At

from eventstream.errors import EventstreamError
from eventstream.gateway.answers import problem_answer
from eventstream.gateway.cross_origin import CrossOrigin
from eventstream.gateway.known import KnownCallers
from eventstream.gateway.metadata import metadata_routes
from eventstream.gateway.openapi.document import describe
from eventstream.gateway.problems import Problem, problem_of
from eventstream.gateway.publish_endpoint import PublishEndpoint, RecordsEndpoint
from eventstream.gateway.schemas.endpoints import schema_routes
from eventstream.gateway.segments import WholeSegments
from eventstream.observe.exposition import CONTENT_TYPE as METRICS_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Lifespan, Receive, Scope, Send

    from eventstream.gateway.process import GatewayProcess

READY_TIMEOUT_S = 2.0


def make_app(gateway: GatewayProcess, lifespan: Lifespan[Starlette]) -> Starlette:
    """Make the application of one gateway process."""
    publish = PublishEndpoint(gateway)
    records = RecordsEndpoint(gateway, publish)
    events = KnownCallers(
        Events(gateway), gateway.access, gateway.access.read_refusal, problem_answer
    )
    of_v3 = "/v3/clusters/{cluster_id}/topics/{topic}/records"
    app = Starlette(
        routes=[
            At("/publish", publish, methods=["POST"]),
            At("/publish/", publish, methods=["POST"]),
            At("/publish/{topic}", publish, methods=["POST"]),
            At("/topics/{topic}", publish, methods=["POST"]),
            At("/topics/{topic}/partitions/{partition}", publish, methods=["POST"]),
            At(of_v3, records, methods=["POST"]),
            At(of_v3 + ":batch", publish, methods=["POST"]),
            *metadata_routes(gateway.metadata, gateway.access),
            At("/events/{topic}", events, methods=["GET"]),
            *schema_routes(gateway.schemas, gateway.access),
            At("/healthz", healthz, methods=["GET"]),
            At("/readyz", Readiness(gateway), methods=["GET"]),
            At("/metrics", Metrics(gateway.render_metrics), methods=["GET"]),
            At("/openapi.json", Description(gateway), methods=["GET"]),
        ],
        exception_handlers={HTTPException: no_such_route},
        lifespan=lifespan,
        middleware=[Middleware(WholeSegments), Middleware(CrossOrigin, gateway.cors)],
    )
    app.router.redirect_slashes = False
    return app


async def healthz(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
    """Alive: the event loop answers."""
    return JSONResponse({"status": "alive"})


class Events:
    """The streams of events, which begin with the process's loop."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        await self._gateway.events(scope, receive, send)


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
                None, self._gateway.questions.leaderless, topic, READY_TIMEOUT_S
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


class Description:
    """What the gateway can be asked for (OpenAPI), made once."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._text = describe(
            version("eventstream"),
            gateway.settings.default_topic,
            known_callers=gateway.access.required,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        await Response(self._text, media_type="application/json")(scope, receive, send)


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
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return _response(
            Problem(error.status_code, "no-such-route", f"There is nothing at {path}.")
        )
    detail = f"{request.method} is not possible on {path}; see the Allow header."
    allowed = ", ".join(sorted(_methods(request)))
    return _response(Problem(405, "method-not-allowed", detail), {"Allow": allowed})


def _methods(request: Request) -> set[str]:
    """List the methods of a path: of all its routes (RFC 9110, section 15.5.6)."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods
    return found


def _response(problem: Problem, more: dict[str, str] | None = None) -> Response:
    answer = problem_answer(problem)
    fields = {name.decode(): value.decode() for name, value in answer.fields}
    return Response(answer.body, answer.status, headers={**fields, **(more or {})})
