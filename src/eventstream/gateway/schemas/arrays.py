"""When an array is valid by its items; pure.

JSON Schema 2020-12 Core, sections 10.3.1 and 11.2; Validation, section 6.4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventstream.gateway.schemas.claims import Check, Claim, Gap


def _fewest(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    if claim.facts.least(keyword) >= limit:
        return None
    return claim.gap(keyword, f"fewer than {limit} items are refused")


def _most(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    if claim.facts.most(keyword) <= limit:
        return None
    return claim.gap(keyword, f"more than {limit} items are refused")


def _unique(claim: Claim, keyword: str) -> Gap | None:
    if not claim.node.schema[keyword] or any(claim.facts.limits(keyword)):
        return None
    if claim.facts.most("maxItems") <= 1:
        return None
    return claim.gap(keyword, "equal items are refused")


def _first_items(claim: Claim, keyword: str) -> Gap | None:
    for index, node in enumerate(claim.node.each(keyword)):
        if claim.facts.most("maxItems") <= index:
            return None
        gap = claim.below(claim.facts.of_index(index), node)
        if gap is not None:
            return gap
    return None


def _other_items(claim: Claim, keyword: str) -> Gap | None:
    """Take the positions that a given schema speaks of one by one, and all after them as one."""
    if keyword == "unevaluatedItems" and "items" in claim.node.schema:
        return None
    first = len(claim.node.get("prefixItems") or ())
    last = max(first, *map(len, claim.facts.limits("prefixItems")), 0)
    for index in range(first, last + 1):
        if claim.facts.most("maxItems") <= index:
            return None
        gap = claim.below(claim.facts.of_index(index), claim.node.at(keyword))
        if gap is not None:
            return gap
    return None


def _contains(claim: Claim, keyword: str) -> Gap | None:
    node = claim.node.at(keyword)
    least, most = claim.node.get("minContains"), claim.node.get("maxContains")
    least, most = 1 if least is None else least, math.inf if most is None else most
    given = [each for each in claim.facts.nodes if keyword in each.schema]
    if least and not any(
        each.schema.get("minContains", 1) >= least
        and claim.below((each.at(keyword),), node) is None
        for each in given
    ):
        return claim.gap(keyword, f"fewer than {least} items of this kind are refused")
    if claim.facts.most("maxItems") <= most or any(
        each.schema.get("maxContains", math.inf) <= most
        and claim.below((node,), each.at(keyword)) is None
        for each in given
    ):
        return None
    return claim.gap("maxContains", f"more than {most} items of this kind are refused")


ARRAY_CHECKS: dict[str, Check] = {
    "minItems": _fewest,
    "maxItems": _most,
    "uniqueItems": _unique,
    "prefixItems": _first_items,
    "items": _other_items,
    "unevaluatedItems": _other_items,
    "contains": _contains,
}
"""The checks by keyword. `unevaluatedItems` applies to no more items than `items` would in its
place, so what proves the one proves the other."""
