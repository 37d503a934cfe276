"""When a number or a string is within bounds; pure.

JSON Schema 2020-12 Validation, sections 6.2, 6.3 and 7.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eventstream.gateway.schemas.documents import shown
from eventstream.gateway.schemas.facts import Bound

if TYPE_CHECKING:
    from eventstream.gateway.schemas.claims import Check, Claim, Gap


def _above(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    floor = claim.facts.floor
    if floor is not None and floor >= Bound(Fraction(limit), keyword == "exclusiveMinimum"):
        return None
    return claim.gap(keyword, f"less than {shown(limit)} is refused")


def _below(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    ceiling = claim.facts.ceiling
    if ceiling is not None and ceiling >= Bound(-Fraction(limit), keyword == "exclusiveMaximum"):
        return None
    return claim.gap(keyword, f"more than {shown(limit)} is refused")


def _multiple(claim: Claim, keyword: str) -> Gap | None:
    step = claim.node.schema[keyword]
    if any(_is_multiple(given, step) for given in claim.facts.limits(keyword)):
        return None
    if step == 1 and "integer" in claim.facts.kinds:
        return None
    return claim.gap(keyword, f"all but multiples of {shown(step)} are refused")


def _is_multiple(given: Any, step: Any) -> bool:
    """Whether one step is a multiple of another; of fractions, only the same one is sure to be."""
    if given == step:
        return True
    return given == int(given) and step == int(step) and int(given) % int(step) == 0


def _shortest(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    if claim.facts.least(keyword) >= limit:
        return None
    return claim.gap(keyword, f"fewer than {limit} characters are refused")


def _longest(claim: Claim, keyword: str) -> Gap | None:
    limit = claim.node.schema[keyword]
    if claim.facts.most(keyword) <= limit:
        return None
    return claim.gap(keyword, f"more than {limit} characters are refused")


def _form(claim: Claim, keyword: str) -> Gap | None:
    form = claim.node.schema[keyword]
    if form in claim.facts.limits(keyword):
        return None
    return claim.gap(keyword, f"all that does not match {shown(form)} is refused")


NUMBER_CHECKS: dict[str, Check] = {
    "minimum": _above,
    "exclusiveMinimum": _above,
    "maximum": _below,
    "exclusiveMaximum": _below,
    "multipleOf": _multiple,
}
STRING_CHECKS: dict[str, Check] = {
    "minLength": _shortest,
    "maxLength": _longest,
    "pattern": _form,
    "format": _form,
}
"""The checks by keyword."""
