"""Whether two schemas are the same, letter by letter and in all they refer to; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from eventstream.gateway.schemas.documents import without_annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.gateway.schemas.documents import Node

_encode = msgspec.json.Encoder(order="deterministic").encode


def same(one: Node, other: Node) -> bool:
    """Whether two schemas are the same but for annotations and the order of names."""
    waiting, seen = [(one, other)], set()
    while waiting:
        left, right = waiting.pop()
        if left.key == right.key or (left.key, right.key) in seen:
            continue
        seen.add((left.key, right.key))
        bare = without_annotations(left.schema)
        if _encode(bare) != _encode(without_annotations(right.schema)):
            return False
        for reference in _references(bare):
            if reference is None:
                return False
            try:
                pair = (left.document.target(reference), right.document.target(reference))
            except LookupError:
                return False
            waiting.append(pair)
    return True


def same_at(keyword: str, one: Node, other: Node) -> bool:
    """Whether two schemas hold the same under a keyword, or nothing both."""
    if keyword not in one.schema or keyword not in other.schema:
        return keyword not in one.schema and keyword not in other.schema
    if not isinstance(one.schema[keyword], list):
        return same(one.at(keyword), other.at(keyword))
    pairs = list(zip(one.each(keyword), other.each(keyword), strict=False))
    return len(one.schema[keyword]) == len(other.schema[keyword]) and all(
        same(*pair) for pair in pairs
    )


def _references(part: Any) -> Iterator[str | None]:
    """Yield what is referred to, wherever it may stand; `None` when that is not known."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            elif name == "$dynamicRef":
                yield None
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)
