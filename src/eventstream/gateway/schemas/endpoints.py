"""The schemas over HTTP: `/schemas` and `/schemas/{topic}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.known import KnownCallers
from eventstream.gateway.problems import Problem, Rejected, body_too_large
from eventstream.gateway.schemas.documents import MAX_BYTES
from eventstream.gateway.schemas.folder import Conditions, check_topic, names, no_schema

if TYPE_CHECKING:
    from eventstream.gateway.access.access import Access
    from eventstream.gateway.schemas import Schemas
    from eventstream.gateway.schemas.documents import Document
    from eventstream.gateway.schemas.folder import Folder

SCHEMA_TYPE = "application/schema+json"

Endpoint = Callable[[Request], Awaitable[Response]]
Ask = Callable[[bytes, str], Problem | None]


def schema_routes(schemas: Schemas, access: Access) -> list[Route]:
    """Make the routes: who may use a topic sees its schema, who may manage it changes it."""
    endpoints = SchemaEndpoints(schemas)
    of_topic = "/schemas/{topic}"
    told: list[tuple[str, str, Endpoint, Ask]] = [
        ("GET", "/schemas", endpoints.list, access.use_refusal),
        ("GET", of_topic, endpoints.get, access.use_refusal),
        ("PUT", of_topic, endpoints.put, access.manage_refusal),
        ("DELETE", of_topic, endpoints.delete, access.manage_refusal),
    ]
    return [
        Route(
            path,
            KnownCallers(request_response(_answered(endpoint)), access, ask, problem_answer),
            methods=[method],
        )
        for method, path, endpoint, ask in told
    ]


class SchemaEndpoints:
    """Read and change schemas.

    Changes go to the folder, in a thread; the loop then follows the folder as other processes do.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    async def list(self, request: Request) -> Response:  # noqa: ARG002 - the shape of an endpoint
        """List the topics that have a schema."""
        folder = self._folder()
        documents = sorted(self._schemas.documents.items())
        listed = [{"topic": topic, "etag": document.etag} for topic, document in documents]
        return JSONResponse({"compatibility": folder.mode, "schemas": listed})

    async def get(self, request: Request) -> Response:
        """Answer with a schema, as it was put."""
        self._folder()
        topic = _topic(request)
        document = self._schemas.documents.get(topic)
        if document is None:
            raise Rejected(no_schema(topic))
        fields = {"etag": document.etag}
        if names(request.headers.get("if-none-match", ""), document.etag):
            return Response(status_code=304, headers=fields)
        return Response(document.text, media_type=SCHEMA_TYPE, headers=fields)

    async def put(self, request: Request) -> Response:
        """Put a schema in place of another, or a first one."""
        folder, topic = self._folder(), _topic(request)
        conditions = _conditions(request)
        text = await _body(request)
        document, is_first = await run_in_threadpool(folder.put, topic, text, conditions)
        self._schemas.tick()
        return _put(topic, document, is_first)

    async def delete(self, request: Request) -> Response:
        """Remove a topic's schema."""
        folder, topic = self._folder(), _topic(request)
        await run_in_threadpool(folder.delete, topic, _conditions(request))
        self._schemas.tick()
        return Response(status_code=204)

    def _folder(self) -> Folder:
        if self._schemas.folder is None:
            raise Rejected(
                Problem(
                    404,
                    "no-schemas",
                    "This gateway has no folder of schemas; start it with --schemas DIR.",
                )
            )
        return self._schemas.folder


def _answered(endpoint: Endpoint) -> Endpoint:
    """Turn what an endpoint refuses into an answer."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Rejected as rejected:
            return problem_response(rejected.problem)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    return answered


def problem_response(problem: Problem) -> Response:
    """Answer with a problem."""
    answer = problem_answer(problem)
    fields = {name.decode(): value.decode() for name, value in answer.fields}
    return Response(answer.body, answer.status, headers=fields)


def _topic(request: Request) -> str:
    topic: str = request.path_params["topic"]
    check_topic(topic)
    return topic


def _conditions(request: Request) -> Conditions:
    force = request.query_params.get("force", "false")
    if force not in {"true", "false"}:
        problem = f"force is {force[:60]!r} in the query; it can be true or false."
        raise Rejected(Problem(400, "invalid-query", problem))
    return Conditions(
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match"),
        force=force == "true",
    )


async def _body(request: Request) -> bytes:
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > MAX_BYTES:
            raise Rejected(body_too_large(len(text), MAX_BYTES))
    return bytes(text)


def _put(topic: str, document: Document, is_first: bool) -> Response:
    content: dict[str, Any] = {"topic": topic, "etag": document.etag}
    return JSONResponse(content, 201 if is_first else 200, headers={"etag": document.etag})
