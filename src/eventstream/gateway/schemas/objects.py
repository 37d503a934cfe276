"""When an object is valid by its properties; pure.

JSON Schema 2020-12 Core, sections 10.2.2.4, 10.3.2 and 11.3; Validation, section 6.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.schemas.documents import Document, pattern_matches, shown
from eventstream.gateway.schemas.facts import is_empty

if TYPE_CHECKING:
    from collections.abc import Collection

    from eventstream.gateway.schemas.claims import Check, Claim, Gap
    from eventstream.gateway.schemas.documents import Node


_STRING = Document(b'{"type":"string"}').root
"""What every name is valid under."""


def _required(claim: Claim, keyword: str) -> Gap | None:
    missing = set(claim.node.schema[keyword]) - claim.facts.required
    if not missing:
        return None
    return claim.gap(keyword, f"objects without {shown(min(missing))} are refused")


def _fewest(claim: Claim, keyword: str) -> Gap | None:
    limit, facts = claim.node.schema[keyword], claim.facts
    if max(facts.least(keyword), len(facts.required)) >= limit:
        return None
    return claim.gap(keyword, f"fewer than {limit} properties are refused")


def _most(claim: Claim, keyword: str) -> Gap | None:
    limit, facts = claim.node.schema[keyword], claim.facts
    if facts.most(keyword) <= limit or (facts.is_closed and len(facts.named) <= limit):
        return None
    return claim.gap(keyword, f"more than {limit} properties are refused")


def _named(claim: Claim, keyword: str) -> Gap | None:
    for name in claim.node.schema[keyword]:
        gap = claim.below(claim.facts.of_name(name), claim.node.at(keyword, name))
        if gap is not None:
            return gap
    return None


def _matching(claim: Claim, keyword: str) -> Gap | None:
    facts = claim.facts
    for pattern in claim.node.schema[keyword]:
        node = claim.node.at(keyword, pattern)
        for name in sorted(facts.named):
            gap = pattern_matches(pattern, name) and claim.below(facts.of_name(name), node)
            if gap:
                return gap
        if not (facts.is_closed or any(_all_match(claim, each, pattern) for each in facts.nodes)):
            return claim.gap(keyword, f"some properties that match {shown(pattern)} are refused")
    return None


def _all_match(claim: Claim, given: Node, pattern: str) -> bool:
    """Whether one given schema makes the properties it does not name fit, if they match."""
    node = claim.node.at("patternProperties", pattern)
    if pattern in (given.get("patternProperties") or ()):
        return claim.below((given.at("patternProperties", pattern),), node) is None
    return _all_fit(claim, given, node, ())


def _others(claim: Claim, keyword: str) -> Gap | None:
    if keyword == "unevaluatedProperties" and "additionalProperties" in claim.node.schema:
        return None
    facts, node = claim.facts, claim.node.at(keyword)
    patterns = claim.node.get("patternProperties") or {}
    names = facts.named.difference(claim.node.get("properties") or ())
    for name in sorted(names):
        if any(pattern_matches(pattern, name) for pattern in patterns):
            continue
        gap = claim.below(facts.of_name(name), node)
        if gap is not None and node.schema is False:
            return claim.gap(keyword, f"property {shown(name)} is refused")
        if gap is not None:
            return gap
    if facts.is_closed or any(_all_fit(claim, each, node, patterns) for each in facts.nodes):
        return None
    return claim.gap(keyword, "some properties of other names are refused")


def _all_fit(claim: Claim, given: Node, node: Node, without: Collection[str]) -> bool:
    """Whether one given schema makes the properties it does not name fit.

    Args:
        claim: What is to be proved.
        given: The given schema.
        node: What they are to fit.
        without: Patterns whose properties do not matter.
    """
    patterns = [each for each in given.get("patternProperties") or () if each not in without]
    others = [given.at("additionalProperties")] if "additionalProperties" in given.schema else []
    return claim.below(others, node) is None and all(
        claim.below((given.at("patternProperties", pattern),), node) is None for pattern in patterns
    )


def _names(claim: Claim, keyword: str) -> Gap | None:
    facts, node = claim.facts, claim.node.at(keyword)
    if facts.is_closed:
        refused = [name for name in sorted(facts.named) if not node.accepts(name)]
        refused = [name for name in refused if not is_empty(facts.of_name(name))]
        return claim.gap(keyword, f"property {shown(refused[0])} is refused") if refused else None
    given = [each.at(keyword) for each in facts.nodes if keyword in each.schema]
    return claim.below([*given, _STRING], node)


def _required_with(claim: Claim, keyword: str) -> Gap | None:
    facts = claim.facts
    for trigger, names in claim.node.schema[keyword].items():
        if is_empty(facts.of_name(trigger)):
            continue
        sure = facts.required.union(*(each.get(trigger, ()) for each in facts.limits(keyword)))
        missing = set(names) - sure - {trigger}
        if missing:
            reason = f"objects with {shown(trigger)} and without {shown(min(missing))} are refused"
            return claim.gap(keyword, reason)
    return None


def _fitting_with(claim: Claim, keyword: str) -> Gap | None:
    facts = claim.facts
    for trigger in claim.node.schema[keyword]:
        if is_empty(facts.of_name(trigger)):
            continue
        given = [
            each.at(keyword, trigger)
            for each in facts.nodes
            if trigger in (each.get(keyword) or ())
        ]
        gap = claim.here(given, claim.node.at(keyword, trigger))
        if gap is not None:
            return gap
    return None


OBJECT_CHECKS: dict[str, Check] = {
    "required": _required,
    "minProperties": _fewest,
    "maxProperties": _most,
    "properties": _named,
    "patternProperties": _matching,
    "additionalProperties": _others,
    "unevaluatedProperties": _others,
    "propertyNames": _names,
    "dependentRequired": _required_with,
    "dependentSchemas": _fitting_with,
}
"""The checks by keyword. `unevaluatedProperties` applies to no more properties than
`additionalProperties` would in its place, so what proves the one proves the other."""
