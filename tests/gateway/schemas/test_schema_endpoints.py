"""The schemas over HTTP."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette

from eventstream.gateway.access.access import Access
from eventstream.gateway.schemas import Schemas
from eventstream.gateway.schemas.documents import MAX_BYTES
from eventstream.gateway.schemas.endpoints import schema_routes
from eventstream.settings import AccessSettings, SchemaSettings

TEXT = b'{ "type": "string" }\n'
WIDER = b'{"type":["string","null"]}'


class Api:
    """Calls an ASGI application."""

    def __init__(self, schemas):
        self.schemas = schemas
        self._app = Starlette(routes=schema_routes(schemas, Access(AccessSettings())))

    def __call__(self, method, path, body=b"", query="", **fields):
        return asyncio.run(self._call(method, path, body, query, fields))

    async def _call(self, method, path, body, query, fields):
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        headers = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
        ]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "server": ("test", 80),
            "client": ("test", 1),
        }
        await self._app(scope, receive, send)
        start, *parts = sent
        content = b"".join(part["body"] for part in parts)
        return start["status"], dict(start["headers"]), content


@pytest.fixture
def api(tmp_path):
    return Api(Schemas(SchemaSettings(schemas=tmp_path)))


def test_a_schema_put_is_in_force_at_once_and_answered_as_it_was_put(api):
    status, fields, content = api("PUT", "/schemas/orders", TEXT)
    assert status == 201
    assert json.loads(content) == {"topic": "orders", "etag": fields[b"etag"].decode()}
    assert api.schemas.check("orders", b"7").status == 422
    status, again, content = api("GET", "/schemas/orders")
    assert (status, content, again[b"etag"]) == (200, TEXT, fields[b"etag"])
    assert again[b"content-type"] == b"application/schema+json"


def test_a_schema_that_is_known_is_not_sent_again(api):
    etag = api("PUT", "/schemas/orders", TEXT)[1][b"etag"].decode()
    status, fields, content = api("GET", "/schemas/orders", if_none_match=etag)
    assert (status, content, fields[b"etag"]) == (304, b"", etag.encode())


def test_a_schema_is_changed_and_removed_by_its_tag(api):
    etag = api("PUT", "/schemas/orders", TEXT)[1][b"etag"].decode()
    assert api("PUT", "/schemas/orders", WIDER)[0] == 428
    status, fields, _ = api("PUT", "/schemas/orders", WIDER, if_match=etag)
    assert status == 200
    assert api("DELETE", "/schemas/orders", if_match=etag)[0] == 412
    assert api("DELETE", "/schemas/orders", if_match=fields[b"etag"].decode())[0] == 204
    assert api("GET", "/schemas/orders")[0] == 404
    assert api.schemas.check("orders", b"7") is None


def test_an_incompatible_schema_is_a_problem_with_its_place(api):
    api("PUT", "/schemas/orders", WIDER)
    status, fields, content = api("PUT", "/schemas/orders", TEXT, if_match="*")
    assert (status, fields[b"content-type"]) == (409, b"application/problem+json")
    problem = json.loads(content)
    assert problem["type"] == "urn:eventstream:problem:incompatible-schema"
    assert "at /type, null is refused" in problem["detail"]
    assert api("PUT", "/schemas/orders", TEXT, "force=true")[0] == 200


def test_topics_with_a_schema_are_listed(api):
    api("PUT", "/schemas/b", TEXT)
    api("PUT", "/schemas/a", TEXT)
    status, _, content = api("GET", "/schemas")
    listed = json.loads(content)
    assert (status, listed["compatibility"]) == (200, "backward")
    assert [each["topic"] for each in listed["schemas"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "body", "query", "status"),
    [
        ("/schemas/a b", TEXT, "", 400),
        ("/schemas/orders", TEXT, "force=maybe", 400),
        ("/schemas/orders", b'{"type":7}', "", 422),
        ("/schemas/orders", b'{"$ref":"http://127.0.0.1/"}', "", 422),
        ("/schemas/orders", b" " * (MAX_BYTES + 1), "", 413),
    ],
)
def test_a_bad_request_is_told_and_writes_nothing(api, tmp_path, path, body, query, status):
    found, fields, content = api("PUT", path, body, query)
    assert (found, fields[b"content-type"]) == (status, b"application/problem+json")
    assert json.loads(content)["detail"].endswith(".")
    assert not list(tmp_path.glob("*.json"))


def test_a_gateway_without_a_folder_says_how_to_have_one():
    api = Api(Schemas(SchemaSettings()))
    for method, path in (("GET", "/schemas"), ("GET", "/schemas/a"), ("PUT", "/schemas/a")):
        status, _, content = api(method, path)
        assert status == 404
        assert "--schemas DIR" in json.loads(content)["detail"]
