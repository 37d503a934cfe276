"""Which changes of a schema are compatible, and what is said of those that are not."""

from __future__ import annotations

import copy

import msgspec
import pytest

from eventstream.gateway.schemas.compatibility import incompatibility
from eventstream.gateway.schemas.documents import Document

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "amount": {"type": "integer", "minimum": 0},
    },
    "required": ["id"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            },
        }
    },
}


def changed(schema, *path, to):
    schema = copy.deepcopy(schema)
    place = schema
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return schema


def tagged(tag):
    return {
        "type": "object",
        "properties": {"kind": {"const": tag}, "size": {"type": "integer"}},
        "required": ["kind"],
    }


def reason(old, new, mode="backward"):
    documents = [Document(msgspec.json.encode(schema)) for schema in (old, new)]
    return incompatibility(*documents, mode)


COMPATIBLE = {
    "nothing": (ORDER, ORDER),
    "a description": (ORDER, changed(ORDER, "properties", "id", "description", to="Its id.")),
    "an optional property of a closed object": (
        ORDER,
        changed(ORDER, "properties", "vat", to={"type": "number"}),
    ),
    "a wider type": (ORDER, changed(ORDER, "properties", "amount", "type", to="number")),
    "null as well": (ORDER, changed(ORDER, "properties", "id", "type", to=["string", "null"])),
    "a lower minimum": (ORDER, changed(ORDER, "properties", "amount", "minimum", to=-10)),
    "a property no longer required": (ORDER, changed(ORDER, "required", to=[])),
    "an opened object": (ORDER, changed(ORDER, "additionalProperties", to=True)),
    "a longer enumeration": ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
    "an enumeration set free": ({"enum": ["a", "b"]}, {"type": "string", "maxLength": 1}),
    "booleans by name": ({"type": "boolean"}, {"enum": [True, False]}),
    "types as branches": (
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
    ),
    "branches as types": (
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": ["string", "null"]},
    ),
    "one more branch, told apart by a constant": (
        {"oneOf": [tagged("a"), tagged("b")]},
        {"oneOf": [tagged("c"), tagged("a"), tagged("b")]},
    ),
    "a definition taken out": (
        ORDER,
        {**ORDER, "properties": {**ORDER["properties"], "id": {"$ref": "#/$defs/id"}}}
        | {"$defs": {"id": {"type": "string"}}},
    ),
    "a wider type in a recursive schema": (
        TREE,
        changed(TREE, "$defs", "tree", "properties", "value", to={"type": "number"}),
    ),
    "excluded what was not there": ({"type": "string"}, {"not": {"type": "null"}}),
    "longer tuples": (
        {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
        {"type": "array", "prefixItems": [{}, {"type": "string"}]},
    ),
    "a coarser step": ({"multipleOf": 6}, {"multipleOf": 3}),
    "an exclusive bound": ({"exclusiveMinimum": 1}, {"minimum": 1}),
    "a bound of an allOf": (
        {"allOf": [{"minimum": 3}, {"type": "integer"}]},
        {"type": "integer", "minimum": 2},
    ),
    "what a condition leaves": (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["b"]}},
        {"if": {"required": ["c"]}, "then": {"required": ["b"]}},
    ),
}
INCOMPATIBLE = {
    "a new required property": (
        ORDER,
        changed(ORDER, "required", to=["id", "vat"]),
        'at /required, objects without "vat" are refused',
    ),
    "a removed property of a closed object": (
        ORDER,
        changed(ORDER, "properties", to={"id": {"type": "string"}, "note": {}}),
        'at /additionalProperties, property "amount" is refused',
    ),
    "no null any more": (
        ORDER,
        changed(ORDER, "properties", "note", "type", to="string"),
        "at /properties/note/type, null is refused",
    ),
    "a higher minimum": (
        ORDER,
        changed(ORDER, "properties", "amount", "minimum", to=1),
        "at /properties/amount/minimum, less than 1 is refused",
    ),
    "a property of an open object gets a type": (
        {"type": "object"},
        {"type": "object", "properties": {"a/b": {"type": "string"}}},
        "at /properties/a~1b/type, array is refused",
    ),
    "a shorter enumeration": ({"enum": ["a", "b"]}, {"enum": ["a"]}, '"b" is refused'),
    "another pattern": (
        {"type": "string", "pattern": "^a"},
        {"type": "string", "pattern": "^ab"},
        'at /pattern, all that does not match "^ab" is refused',
    ),
    "true is not one": ({"const": True}, {"const": 1}, "true is refused"),
    "one branch less": (
        {"oneOf": [tagged("a"), tagged("b")]},
        {"oneOf": [tagged("a")]},
        "at /oneOf, it is not proved that exactly one branch accepts all of it",
    ),
    "a definition narrows": (
        TREE,
        changed(TREE, "$defs", "tree", "properties", "value", to={"type": "null"}),
        "at /$defs/tree/properties/value/type, integer is refused",
    ),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_a_change_that_refuses_nothing_is_compatible(change):
    assert reason(*COMPATIBLE[change]) is None


@pytest.mark.parametrize("change", INCOMPATIBLE)
def test_a_change_that_may_refuse_something_is_told_with_its_place(change):
    old, new, expected = INCOMPATIBLE[change]
    told = str(reason(old, new))
    assert told.startswith("The new schema may refuse events that the old one accepts: at ")
    assert expected in told


def test_each_mode_looks_its_own_way():
    wider = changed(ORDER, "properties", "amount", "minimum", to=-1)
    assert reason(ORDER, wider, "backward") is None
    assert reason(wider, ORDER, "forward") is None
    assert reason(wider, ORDER, "none") is None
    assert reason(ORDER, wider, "full").direction == "forward"
    assert reason(wider, ORDER, "full").direction == "backward"
    assert str(reason(ORDER, wider, "forward")).startswith(
        "The old schema may refuse events that the new one accepts: at"
        " /properties/amount/minimum, less than 0"
    )


def test_a_pair_with_a_million_cases_ends_without_a_proof():
    choices = [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(20)]
    told = reason({"type": "object", "allOf": choices}, {"minProperties": 20})
    assert told.reason == "it is too intricate for a proof"


def test_a_pair_nested_to_the_bound_ends_without_a_proof():
    def nested(last):
        schema = last
        for _ in range(200):
            schema = {"items": schema}
        return schema

    told = reason(nested({"type": "integer"}), nested({"type": "number"}))
    assert told.reason == "it is nested too deeply for a proof"


def test_shared_definitions_are_compared_once():
    def shared(last):
        steps = {
            f"a{i}": {"properties": {n: {"$ref": f"#/$defs/a{i + 1}"} for n in "xyz"}}
            for i in range(40)
        }
        return {"$ref": "#/$defs/a0", "$defs": steps | {"a40": last}}

    assert reason(shared({"type": "integer"}), shared({"type": "number"})) is None
