"""Events against their topic's schema: what is let in, and what is said of the rest."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.schemas import Schemas
from eventstream.gateway.schemas.documents import Document
from eventstream.settings import SchemaSettings

ORDER = {
    "type": "object",
    "properties": {
        "customer": {"type": "object", "properties": {"id": {"type": "string"}}},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        "note": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string"}}]},
    },
    "required": ["customer"],
}


def schemas_of(**by_topic) -> Schemas:
    schemas = Schemas(SchemaSettings())
    for topic, schema in by_topic.items():
        schemas.documents[topic] = Document(msgspec.json.encode(schema))
    return schemas


@pytest.fixture(scope="module")
def schemas():
    return schemas_of(orders=ORDER)


def test_a_topic_without_a_schema_takes_anything(schemas):
    assert schemas.check("other", b"\xff") is None
    assert schemas.check_all("other", [b"\xff"]) == {}


def test_a_tombstone_passes(schemas):
    assert schemas.check("orders", None) is None
    assert schemas.check_all("orders", [None]) == {}


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (b'{"customer":{"id":7}}', 'At /customer/id: 7 is not of type "string".'),
        (b"{}", 'At the top: "customer" is a required property.'),
        (b'{"customer":{},"lines":[{"sku":1},{}]}', 'At /lines/1: "sku" is a required property.'),
        (
            b'{"customer":{},"lines":[1,2,3,4]}',
            (
                'At /lines/0: 1 is not of type "object". At /lines/1: 2 is not of type "object".'
                ' At /lines/2: 3 is not of type "object". And 1 more.'
            ),
        ),
    ],
)
def test_a_violation_says_where_and_what_was_expected(schemas, event, detail):
    problem = schemas.check("orders", event)
    assert (problem.status, problem.name, problem.detail) == (422, "schema-violation", detail)


@pytest.mark.parametrize("length", [100, 1_000, 10_000, 1_000_000])
def test_no_large_value_comes_back(schemas, length):
    for event in (
        b'{"customer":"' + b"x" * length + b'"}',
        b'{"customer":{"' + b"k" * length + b'":1},"lines":{"' + b"k" * length + b'":1}}',
        b'{"customer":{"id":[' + b"1," * length + b"1]}}",
    ):
        assert len(schemas.check("orders", event).detail) < 800


def test_a_large_event_full_of_violations_costs_little(schemas):
    """The validator would take seconds to list them."""
    event = b'{"customer":{},"note":[' + b"1," * 1_000_000 + b"1]}"
    assert schemas.check("orders", event).detail == (
        "The event does not match the schema of topic 'orders'."
    )


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"text", b"{", b"\xff", b'"\xff"', b'"\\ud800"', b"NaN", b"1e400", b"9" * 5000),
        *(b"[" * 300 + b"]" * 300, b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_what_cannot_be_checked_is_refused(schemas, value):
    problem = schemas.check("orders", value)
    assert problem.status == 422
    assert problem.detail.startswith("Topic 'orders' has a schema, and the event is not JSON that")


def test_many_events_are_checked_as_one_by_one(schemas):
    events = [b'{"customer":{}}', b"{}", b"nonsense", None, b'{"customer":1}']
    expected = {at: schemas.check("orders", event) for at, event in enumerate(events)}
    assert schemas.check_all("orders", events) == {at: p for at, p in expected.items() if p}


def test_explanations_have_a_bound_and_refusals_have_none(schemas):
    problems = schemas.check_all("orders", [b'{"customer":{"id":7}}'] * 10_000)
    assert len(problems) == 10_000
    assert problems[0].detail == 'At /customer/id: 7 is not of type "string".'
    assert problems[9_999].detail == "The event does not match the schema of topic 'orders'."


numbers = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.builds("{}.{}".format, st.integers(-9999, 9999), st.integers(0, 999)),
    st.builds("{}e{}".format, st.integers(-99, 99), st.integers(-20, 20)),
)
number_schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "number", "string"]),
        "minimum": st.integers(-(10**40), 10**40),
        "exclusiveMaximum": st.integers(-100, 10**20),
        "multipleOf": st.integers(1, 100),
        "const": st.integers(-10, 10),
    },
)


@given(schema=number_schemas, first=numbers, second=numbers)
def test_numbers_and_double_names_mean_what_their_text_says(schema, first, second):
    schemas = schemas_of(numbers={"properties": {"n": schema}})
    text = f'{{"n":{first},"n":{second}}}'
    exact = json.loads(text, parse_float=Decimal)
    is_valid = schemas.documents["numbers"].validator.is_valid(exact)
    assert (schemas.check("numbers", text.encode()) is None) == is_valid
