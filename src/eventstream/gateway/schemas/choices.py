"""When a value is valid under keywords that apply schemas to the value itself; pure.

JSON Schema 2020-12 Core, sections 8.2.3 and 10.2; Validation, section 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.schemas.facts import is_empty, kinds_of
from eventstream.gateway.schemas.sameness import same_at

if TYPE_CHECKING:
    from eventstream.gateway.schemas.claims import Check, Claim, Gap
    from eventstream.gateway.schemas.documents import Node


def _type(claim: Claim, keyword: str) -> Gap | None:
    refused = claim.facts.kinds - kinds_of(claim.node)
    return claim.gap(keyword, f"{min(refused)} is refused") if refused else None


def _values(claim: Claim, keyword: str) -> Gap | None:
    return claim.gap(keyword, "all but certain values are refused")


def _reference(claim: Claim, keyword: str) -> Gap | None:
    return claim.here((), claim.node.document.target(claim.node.schema[keyword]))


def _all_of(claim: Claim, keyword: str) -> Gap | None:
    gaps = (claim.here((), branch) for branch in claim.node.each(keyword))
    return next(filter(None, gaps), None)


def _any_of(claim: Claim, keyword: str) -> Gap | None:
    if any(claim.here((), branch) is None for branch in claim.node.each(keyword)):
        return None
    return claim.gap(keyword, "no branch is proved to accept all of it")


def _one_of(claim: Claim, keyword: str) -> Gap | None:
    if _is_given(claim, keyword):
        return None
    branches = claim.node.each(keyword)
    for index, branch in enumerate(branches):
        others = branches[:index] + branches[index + 1 :]
        if all(_excludes(claim, other) for other in others) and claim.here((), branch) is None:
            return None
    return claim.gap(keyword, "it is not proved that exactly one branch accepts all of it")


def _not(claim: Claim, keyword: str) -> Gap | None:
    node = claim.node.at(keyword)
    if _is_given(claim, keyword) or _excludes(claim, node):
        return None
    return claim.gap(keyword, "it is not proved that none of it is excluded")


def _is_given(claim: Claim, *keywords: str) -> bool:
    """Whether one given schema has the same under all these keywords."""
    return any(
        all(same_at(keyword, given, claim.node) for keyword in keywords)
        for given in claim.facts.nodes
    )


def _excludes(claim: Claim, node: Node) -> bool:
    """Whether no value given is valid under a schema."""
    return is_empty((*claim.facts.nodes, node), claim.facts.kinds)


def _if(claim: Claim, keyword: str) -> Gap | None:
    if _is_given(claim, keyword, "then", "else"):
        return None
    node = claim.node
    if "then" in node.schema:
        gap = claim.here((node.at(keyword),), node.at("then"))
        if gap is not None:
            return gap
    return claim.here((), node.at("else")) if "else" in node.schema else None


def _unknown(claim: Claim, keyword: str) -> Gap | None:
    return claim.gap(keyword, "nothing can be proved of this keyword")


CHECKS: dict[str, Check] = {
    "type": _type,
    "const": _values,
    "enum": _values,
    "$ref": _reference,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "$dynamicRef": _unknown,
    "dependencies": _unknown,
}
"""The checks by keyword, for values of any kind."""
