"""What a schema refers to: nothing outside itself, and nothing in a circle; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.errors import InvalidSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eventstream.gateway.schemas.documents import Node

REFERENCES = ("$ref", "$dynamicRef")
_ONE = ("not", "if", "then", "else")
_SEVERAL = ("allOf", "anyOf", "oneOf")
_NAMED = ("dependentSchemas", "dependencies")
"""The keywords that apply a schema to the same value (2020-12 Core, section 10.2)."""


def check_identity(node: Node) -> None:
    """See that a schema names itself nowhere but at its root, and nothing outside of it.

    Raises:
        InvalidSchema: It does.
    """
    for keyword in (*REFERENCES, "$recursiveRef"):
        reference = node.get(keyword)
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidSchema(
                f"{node.where} refers to {reference[:200]!r}; a schema can refer to its own parts"
                " alone, as #/$defs/name: nothing is fetched."
            )
    if node.pointer:
        for keyword in ("$id", "$schema"):
            if node.get(keyword) is not None:
                raise InvalidSchema(
                    f"{node.where} has an {keyword} of its own; a schema is one document here:"
                    " leave it out and refer to #/$defs/name."
                )


def check_loops(nodes: Mapping[str, Node]) -> None:
    """See that no schema comes back to itself without going down into the value.

    What such a schema accepts is undefined (2020-12 Core, section 9.4.1).

    Args:
        nodes: All schemas of a document, by pointer; what they refer to is there.

    Raises:
        InvalidSchema: One does.
    """
    done: set[str] = set()
    for start in nodes.values():
        if start.pointer in done:
            continue
        path, ways = {start.pointer: None}, [_at_the_same_value(start)]
        while ways:
            node = next(ways[-1], None)
            if node is None:
                ways.pop()
                done.add(path.popitem()[0])
            elif node.pointer in path:
                raise InvalidSchema(
                    f"{node.where} refers back to itself for the same value, without end."
                )
            elif node.pointer not in done:
                path[node.pointer] = None
                ways.append(_at_the_same_value(node))


def _at_the_same_value(node: Node) -> Iterator[Node]:
    """Yield the schemas that a schema applies to the value it is itself applied to."""
    if not isinstance(node.schema, dict):
        return
    for keyword in REFERENCES:
        if keyword in node.schema:
            yield node.document.target(node.schema[keyword])
    for keyword in _ONE:
        if keyword in node.schema:
            yield node.at(keyword)
    for keyword in _SEVERAL:
        yield from node.each(keyword)
    for keyword in _NAMED:
        for name in node.get(keyword) or ():
            yield node.at(keyword, name)
