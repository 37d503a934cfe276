"""What is sure of every value that is valid under several schemas at once; pure.

Everything here errs on one side: a fact may be weaker than the truth, never stronger. A keyword
that is not looked at only makes the facts weaker.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from eventstream.gateway.schemas.documents import Node, pattern_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FRACTION = "number with a fraction"
KINDS = ("null", "boolean", "integer", FRACTION, "string", "array", "object")
"""The kinds of values that schemas tell apart: `integer` and FRACTION together are `number`."""
ALL = frozenset(KINDS)
NUMBERS = frozenset({"integer", FRACTION})
_FINITE: dict[str, tuple[Any, ...]] = {"null": (None,), "boolean": (False, True)}
_NOTHING: dict[str, Any] = {"type": []}
"""What `False` is, as an object."""
MAX_DEPTH = 24
"""How far down two schemas are searched for a contradiction."""


class Bound(NamedTuple):
    """A number's least or greatest value; ordered as limits from below are."""

    limit: Fraction
    exclusive: bool


class Facts:
    """The facts about values that are valid under all of some schemas.

    Args:
        nodes: The schemas; what they refer to, and their `allOf`, is looked at too.
        kinds: The kinds that the values are known to be of.
    """

    def __init__(self, nodes: Iterable[Node], kinds: frozenset[str] = ALL) -> None:
        self.nodes = _flattened(nodes)
        self.kinds = kinds.intersection(*map(kinds_of, self.nodes))

    def limits(self, keyword: str) -> list[Any]:
        """List the values that the schemas give a keyword."""
        return [node.schema[keyword] for node in self.nodes if keyword in node.schema]

    @cached_property
    def values(self) -> list[Any] | None:
        """All values that are possible, or `None` when that is not known."""
        return self.among(self.kinds)

    def among(self, kinds: frozenset[str]) -> list[Any] | None:
        """Return all values of some kinds that are possible, or `None` when that is not known."""
        possible: Iterable[Any] | None = None
        for node in self.nodes:
            if "const" in node.schema:
                possible = [node.schema["const"]]
            elif "enum" in node.schema and possible is None:
                possible = node.schema["enum"]
        if possible is None:
            if not kinds <= _FINITE.keys():
                return None
            possible = [value for kind in kinds for value in _FINITE[kind]]
        return [
            value
            for value in possible
            if kind_of(value) in kinds and all(node.accepts(value) for node in self.nodes)
        ]

    @cached_property
    def required(self) -> frozenset[str]:
        """Names that every object has."""
        return frozenset(name for names in self.limits("required") for name in names)

    @cached_property
    def named(self) -> frozenset[str]:
        """Names that a schema speaks of."""
        return frozenset(name for names in self.limits("properties") for name in names)

    @cached_property
    def is_closed(self) -> bool:
        """Whether objects have no names but `named`."""
        return any(
            node.get("additionalProperties") is False and not node.get("patternProperties")
            for node in self.nodes
        )

    def of_name(self, name: str) -> list[Node]:
        """List the schemas that the value of a property is valid under, if it is there."""
        return [found for node in self.nodes for found in property_of(node, name)]

    def of_index(self, index: int) -> list[Node]:
        """List the schemas that the item at a position is valid under, if it is there."""
        return [found for node in self.nodes for found in _item_of(node, index)]

    def least(self, keyword: str) -> int:
        """Return the least count that a keyword such as `minItems` allows."""
        return int(max(self.limits(keyword), default=0))

    def most(self, keyword: str) -> float:
        """Return the greatest count that a keyword such as `maxItems` allows."""
        most: float = min(self.limits(keyword), default=math.inf)
        return most

    @property
    def floor(self) -> Bound | None:
        """The least number."""
        bounds = [Bound(Fraction(limit), False) for limit in self.limits("minimum")]
        bounds += [Bound(Fraction(limit), True) for limit in self.limits("exclusiveMinimum")]
        return max(bounds, default=None)

    @property
    def ceiling(self) -> Bound | None:
        """The greatest number, turned around: the least of what is below zero."""
        bounds = [Bound(-Fraction(limit), False) for limit in self.limits("maximum")]
        bounds += [Bound(-Fraction(limit), True) for limit in self.limits("exclusiveMaximum")]
        return max(bounds, default=None)


def cases(node: Node) -> list[list[Node]]:
    """List the ways a value can be valid under a schema with a choice in it; [] when it has none.

    The value is then valid under all schemas of at least one of the ways, and under the schema.
    """
    for keyword in ("anyOf", "oneOf"):
        if len(node.get(keyword) or ()) > 1:
            return [[branch] for branch in node.each(keyword)]
    if node.get("if") is not None:
        then = [node.at("then")] if "then" in node.schema else []
        return [[node.at("if"), *then], [node.at("else")] if "else" in node.schema else []]
    return []


def is_empty(nodes: Iterable[Node], kinds: frozenset[str] = ALL, depth: int = 0) -> bool:
    """Whether it is sure that no value is valid under all of some schemas."""
    facts = Facts(nodes, kinds)
    if not facts.kinds or facts.values == []:
        return True
    if facts.values is not None or depth == MAX_DEPTH:
        return False
    return all(_kind_is_empty(facts, kind, depth) for kind in facts.kinds)


def _kind_is_empty(facts: Facts, kind: str, depth: int) -> bool:
    if kind in _FINITE:
        return facts.among(frozenset({kind})) == []
    if kind in NUMBERS:
        return _has_no_room(facts.floor, facts.ceiling)
    if kind == "string":
        return facts.least("minLength") > facts.most("maxLength")
    if kind == "array":
        return facts.least("minItems") > facts.most("maxItems")
    if facts.least("minProperties") > facts.most("maxProperties"):
        return True
    return any(is_empty(facts.of_name(name), depth=depth + 1) for name in facts.required)


def _has_no_room(floor: Bound | None, ceiling: Bound | None) -> bool:
    if floor is None or ceiling is None:
        return False
    room = -ceiling.limit - floor.limit
    return room < 0 or (room == 0 and (floor.exclusive or ceiling.exclusive))


def kinds_of(node: Node) -> frozenset[str]:
    """Return the kinds that a schema's `type` allows."""
    named = node.get("type")
    if named is None:
        return ALL
    kinds: set[str] = set()
    for name in [named] if isinstance(named, str) else named:
        kinds |= NUMBERS if name == "number" else {name}
    return frozenset(kinds)


def kind_of(value: Any) -> str:
    """Return a value's kind; 1.0 is an integer (2020-12 Validation, section 6.1.1)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) else FRACTION
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def property_of(node: Node, name: str) -> Iterator[Node]:
    """Yield the schemas that one schema itself has for a property (2020-12 Core, 10.3.2)."""
    covered = False
    if name in (node.get("properties") or ()):
        covered = True
        yield node.at("properties", name)
    for pattern in node.get("patternProperties") or ():
        if pattern_matches(pattern, name):
            covered = True
            yield node.at("patternProperties", pattern)
    if not covered and "additionalProperties" in node.schema:
        yield node.at("additionalProperties")


def _item_of(node: Node, index: int) -> Iterator[Node]:
    if index < len(node.get("prefixItems") or ()):
        yield node.at("prefixItems", index)
    elif "items" in node.schema:
        yield node.at("items")


def _flattened(nodes: Iterable[Node]) -> list[Node]:
    """List schemas, all as objects, with what they refer to, their `allOf` and choices of one."""
    waiting, found = list(nodes), dict[tuple[int, str], Node]()
    while waiting:
        node = waiting.pop()
        if node.schema is True or node.key in found:
            continue
        if node.schema is False:
            node = node._replace(schema=_NOTHING)
        found[node.key] = node
        if "$ref" in node.schema:
            waiting.append(node.document.target(node.schema["$ref"]))
        waiting += node.each("allOf")
        for keyword in ("anyOf", "oneOf"):
            if len(node.get(keyword) or ()) == 1:
                waiting += node.each(keyword)
    return list(found.values())
