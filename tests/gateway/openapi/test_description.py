"""The description says all there is, and nothing that there is not."""

import ast
import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from starlette.routing import Route

import eventstream.gateway
from eventstream.gateway.api import make_app
from eventstream.gateway.config import Gateway
from eventstream.gateway.openapi.document import describe
from eventstream.gateway.openapi.refusals import PROBLEMS
from eventstream.gateway.problems import _STATUS_AND_NAME
from eventstream.gateway.process import GatewayProcess
from eventstream.settings import (
    AccessSettings,
    GatewaySettings,
    HomeSettings,
    IdempotencySettings,
    KafkaSettings,
    LogSettings,
    ProducerSettings,
    SchemaSettings,
    TailingSettings,
)

SOURCES = Path(eventstream.gateway.__file__).parent
OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json"}
IMPLIED = {"HEAD"}


def description(*, known_callers=False):
    return json.loads(describe("0", "events", known_callers=known_callers))


def operations(described):
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.fixture
def routes():
    process = GatewayProcess(
        Gateway(
            settings=GatewaySettings(),
            access=AccessSettings(),
            idempotency=IdempotencySettings(),
            schemas=SchemaSettings(),
            tailing=TailingSettings(),
            kafka=KafkaSettings(),
            sending=ProducerSettings(),
            home=HomeSettings(),
            logs=LogSettings(),
        )
    )
    return [route for route in make_app(process, process.lifespan).routes if type(route) is Route]


def test_every_route_is_described_and_every_described_path_exists(routes):
    # `/publish/` means `/publish`, for clients that leave a topic's name empty.
    there = {
        (route.path, method)
        for route in routes
        for method in route.methods
        if route.path != "/publish/"
    }
    described = {(path, method.upper()) for path, method, _ in operations(description())}
    assert described <= there
    assert {(path, method) for path, method in there - described if method not in IMPLIED} == set()


def test_every_parameter_of_a_path_is_described():
    for path, _, operation in operations(description()):
        named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


def test_every_reference_and_every_link_leads_somewhere():
    described = description()
    text = json.dumps(described)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        here = described
        for step in reference.split("/"):
            here = here[step]
    ids = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'"operationId": "(\w+)", "parameters"', text)) <= set(ids)


def test_every_schema_is_one():
    for schema in description()["components"]["schemas"].values():
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        )


def test_every_example_is_valid():
    described = description()
    resolved = {"components": described["components"]}
    for _, _, operation in operations(described):
        for content in operation.get("requestBody", {"content": {}})["content"].values():
            for example in content.get("examples", {}).values():
                jsonschema_rs.validate({**resolved, **content["schema"]}, example["value"])


def test_the_first_example_of_publishing_is_the_first_request_of_all():
    examples = description()["paths"]["/publish"]["post"]["requestBody"]["content"]
    first = next(iter(examples["application/json"]["examples"].values()))
    assert first == {"value": {"message": "Hello, Kafka!"}}


def test_credentials_are_described_where_they_are_needed():
    described = description()
    assert "securitySchemes" not in described["components"]
    assert all("security" not in operation for _, _, operation in operations(described))
    described = description(known_callers=True)
    schemes = described["components"]["securitySchemes"]
    for path, _, operation in operations(described):
        named = {name for each in operation["security"] for name in each}
        assert named == (set() if path in OPEN else set(schemes))
        assert ("401" in operation["responses"]) == bool(named)


def named_in_sources():
    """Find what stands where a problem is given its name."""
    for file in SOURCES.rglob("*.py"):
        if "openapi" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            at = {"Problem": 1, "_refuse": 0}.get(called)
            if at is not None and len(node.args) > at:
                yield from patterns(node.args[at], file)


def patterns(node, file):
    match node:
        case ast.Constant(value=str(name)):
            yield re.escape(name)
        case ast.JoinedStr(values=values):
            yield "".join(v.value if isinstance(v, ast.Constant) else "[a-z-]+" for v in values)
        case ast.IfExp(body=body, orelse=orelse):
            yield from patterns(body, file)
            yield from patterns(orelse, file)
        case ast.Name(id="NAME"):
            yield re.search('NAME = "([a-z-]+)"', file.read_text())[1]
        case ast.Name(id="name"):  # passed on, from a place that this finds too
            return
        case _:
            pytest.fail(f"{file.name}: {ast.unparse(node)} names a problem in a way of its own")


def test_every_problem_of_the_gateway_is_described_and_no_other():
    used = set(named_in_sources())
    used |= {name for _, name in _STATUS_AND_NAME.values()} | {"kafka-failed"}
    for pattern in used:
        assert any(re.fullmatch(pattern, name) for name in PROBLEMS), pattern
    for name in PROBLEMS:
        assert any(re.fullmatch(pattern, name) for pattern in used), name


NO_ANSWERS_OF_OPERATIONS = {"method-not-allowed", "schemas-not-supported"}
"""The first is told where there is no operation, the second of a record in v3's reports only."""


def test_every_other_problem_is_one_of_an_operation():
    answers = json.dumps(description(known_callers=True))
    for name in PROBLEMS.keys() - NO_ANSWERS_OF_OPERATIONS:
        assert f"- `{name}`: " in answers, name


def test_every_error_of_kafka_has_the_status_that_is_described():
    for status, name in _STATUS_AND_NAME.values():
        assert status in PROBLEMS[name].statuses
