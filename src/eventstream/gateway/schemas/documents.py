"""One JSON Schema (2020-12): checked, compiled, and taken apart; pure.

A schema comes from whoever may configure a topic and is run for every event, so it has bounds: it
is one document that refers to nothing outside itself (nothing is ever fetched), and its patterns
match in linear time.
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import jsonschema_rs
import msgspec

from eventstream.errors import InvalidSchema
from eventstream.gateway.schemas.references import REFERENCES, check_identity, check_loops

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 262_144
"""The largest schema: compiling and comparing one is work for the process that serves."""
MASK = "\0"
"""Stands for the value in the validator's messages, so that no huge value is ever written out."""
_SHOWN = 200
"""Characters of a message that are shown."""
_BASE = "urn:eventstream:schema"

_ONE = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
        *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset(
    {
        *("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"),
        "properties",
    }
)
"""The keywords whose values are schemas, by how they hold them (2020-12 Core, section 10, and
Validation, section 8.5)."""


ANNOTATIONS = frozenset(
    {
        *("$comment", "default", "deprecated", "description", "examples", "readOnly", "title"),
        "writeOnly",
    }
)
"""The keywords that refuse nothing (2020-12 Core, section 8.3; Validation, section 9)."""


class Node(NamedTuple):
    """One schema within a document.

    Attributes:
        document: The document.
        pointer: Where it stands there (RFC 6901).
        schema: An object, or `True` or `False`.
    """

    document: Document
    pointer: str
    schema: Any

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from every other node."""
        return id(self.document), self.pointer

    @property
    def where(self) -> str:
        """Where it stands, in few words."""
        return _cut(self.pointer) or "The schema"

    def get(self, keyword: str) -> Any:
        """Return a keyword's value, or `None`."""
        return self.schema.get(keyword) if isinstance(self.schema, dict) else None

    def at(self, *tokens: str | int) -> Node:
        """Return the schema that stands at these keywords, names and positions below."""
        pointer, schema = self.pointer, self.schema
        for token in tokens:
            schema = schema[token]
            pointer += "/" + str(token).replace("~", "~0").replace("/", "~1")
        return Node(self.document, pointer, schema)

    def each(self, keyword: str) -> list[Node]:
        """List the schemas that a keyword holds in an array."""
        return [self.at(keyword, index) for index in range(len(self.get(keyword) or ()))]

    def accepts(self, value: Any) -> bool:
        """Whether a value is valid under it."""
        return self.document.validator_at(self.pointer).is_valid(value)


class Document:
    """A schema as it was written.

    Args:
        text: JSON, in UTF-8.

    Raises:
        InvalidSchema: It is not a schema that events can be checked with.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        schema = _decoded(text)
        if isinstance(schema, dict):
            dialect = schema.get("$schema", DIALECT)
            if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
                raise InvalidSchema(f"$schema is {shown(dialect)}; it can be {DIALECT!r} alone.")
            schema = {name: value for name, value in schema.items() if name != "$id"}
        self.root = Node(self, "", schema)
        self._anchors: dict[str, Node] = {}
        self._validators: dict[str, jsonschema_rs.Validator] = {}
        nodes = self._nodes()
        self.validator = _compiled(schema)
        check_loops(nodes)

    @cached_property
    def etag(self) -> str:
        """A strong entity tag (RFC 9110, section 8.8.3): equal only for the same text."""
        return f'"{hashlib.sha256(self.text).hexdigest()[:32]}"'

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_BASE, self.root.schema)])

    def target(self, reference: str) -> Node:
        """Return what a `$ref` names.

        Raises:
            LookupError: Nothing stands there.
        """
        fragment = unquote(reference.removeprefix("#"))
        if fragment and not fragment.startswith("/"):
            return self._anchors[fragment]
        node = self.root
        for token in fragment.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            try:
                node = node.at(int(name) if isinstance(node.schema, list) else name)
            except (TypeError, ValueError):
                raise LookupError(reference) from None
        return node

    def validator_at(self, pointer: str) -> jsonschema_rs.Validator:
        """Return the validator of the schema at a place of this document."""
        if not pointer:
            return self.validator
        validator = self._validators.get(pointer)
        if validator is None:
            there = {"$ref": f"{_BASE}#{quote(pointer, safe='/~')}"}
            validator = self._validators[pointer] = _compiled(there, self._registry)
        return validator

    def _nodes(self) -> dict[str, Node]:
        """Find all schemas, also those that only a reference leads to; and the anchors."""
        waiting, found = [self.root], dict[str, Node]()
        while waiting:
            node = waiting.pop()
            if node.pointer in found or not isinstance(node.schema, dict):
                continue
            found[node.pointer] = node
            check_identity(node)
            for keyword in ("$anchor", "$dynamicAnchor"):
                anchor = node.get(keyword)
                if isinstance(anchor, str) and self._anchors.setdefault(anchor, node) is not node:
                    raise InvalidSchema(f"{node.where} has {keyword} {anchor!r} a second time.")
            waiting += children(node)
            for keyword in REFERENCES:
                reference = node.get(keyword)
                if isinstance(reference, str) and reference.startswith("#/"):
                    with contextlib.suppress(LookupError):  # the validator will say it
                        waiting.append(self.target(reference))
        return found


def without_annotations(schema: Any) -> Any:
    """Return a schema without what says nothing about values, in it or within."""
    if not isinstance(schema, dict):
        return schema
    bare = {}
    for keyword, value in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword in _ONE:
            bare[keyword] = without_annotations(value)
        elif keyword in _SEVERAL and isinstance(value, list):
            bare[keyword] = [without_annotations(each) for each in value]
        elif keyword in _NAMED and isinstance(value, dict):
            bare[keyword] = {name: without_annotations(each) for name, each in value.items()}
        else:
            bare[keyword] = value
    return bare


def children(node: Node) -> Iterator[Node]:
    """Yield the schemas directly within a schema, wherever the vocabularies place one."""
    for keyword, value in node.schema.items():
        if keyword in _ONE:
            yield node.at(keyword)
        elif keyword in _SEVERAL and isinstance(value, list):
            yield from node.each(keyword)
        elif keyword in _NAMED and isinstance(value, dict):
            for name in value:
                yield node.at(keyword, name)


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text, as the validator sees it."""
    return _compiled({"pattern": pattern}).is_valid(text)


def sentence(error: jsonschema_rs.ValidationError, value: str = "") -> str:
    """Say what the validator found: where, and what was expected.

    Args:
        error: What it found.
        value: The value there, in few characters.
    """
    where = "".join(
        "/" + str(token).replace("~", "~0").replace("/", "~1") for token in error.instance_path
    )
    found = error.message.replace(MASK, value)
    return f"At {_cut(where)}: {_cut(found)}." if where else f"At the top: {_cut(found)}."


def _decoded(text: bytes) -> Any:
    if len(text) > MAX_BYTES:
        raise InvalidSchema(f"It has {len(text)} bytes; {MAX_BYTES} is the most a schema can have.")
    try:
        schema = msgspec.json.decode(text)
    except RecursionError:
        raise InvalidSchema("It is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidSchema(f"It is not JSON: {error}.") from None
    if not isinstance(schema, dict | bool):
        raise InvalidSchema("A schema is a JSON object, true or false.")
    return schema


def _compiled(
    schema: Any, registry: jsonschema_rs.Registry | None = None
) -> jsonschema_rs.Validator:
    """Compile: formats are asserted, patterns are linear, nothing is fetched."""
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            registry=registry,
            offline=True,
            mask=MASK,
        )
    except jsonschema_rs.ValidationError as error:
        found = sentence(error, shown(error.instance))
        if error.kind.name == "format" and error.kind.value == "regex":
            found += " Patterns match in linear time: without look-around and back-references."
        raise InvalidSchema(found) from None
    except ValueError:
        raise InvalidSchema("It is nested too deeply.") from None


def shown(value: Any, most: int = 60) -> str:
    """Write a value as JSON in few characters."""
    return _cut(msgspec.json.encode(value, enc_hook=str).decode(), most)


def _cut(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
