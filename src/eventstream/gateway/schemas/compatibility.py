"""Whether a schema may follow another: a proof, or the place where none was found; pure.

That every value valid under one schema is valid under another cannot be decided for all of JSON
Schema. So this looks for a proof, keyword by keyword of the schema that is to accept: each must
follow from what is sure of the values (`facts`). Where a schema leaves a choice (`anyOf`, `oneOf`,
`if`), every way through it is followed. What is not proved counts as incompatible, so a wrong
answer can only be a refusal, never a consent; a property test holds it to that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.schemas.arrays import ARRAY_CHECKS
from eventstream.gateway.schemas.choices import CHECKS
from eventstream.gateway.schemas.claims import Claim, Gap
from eventstream.gateway.schemas.documents import shown
from eventstream.gateway.schemas.facts import ALL, FRACTION, Facts, cases, is_empty
from eventstream.gateway.schemas.objects import OBJECT_CHECKS
from eventstream.gateway.schemas.sameness import same
from eventstream.gateway.schemas.scalars import NUMBER_CHECKS, STRING_CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.gateway.schemas.claims import Check
    from eventstream.gateway.schemas.documents import Document, Node

CHECKS_OF_KIND: dict[str, dict[str, Check]] = {
    "integer": NUMBER_CHECKS,
    FRACTION: NUMBER_CHECKS,
    "string": STRING_CHECKS,
    "array": ARRAY_CHECKS,
    "object": OBJECT_CHECKS,
}
"""The checks by keyword, for values of one kind. What has no check refuses nothing."""
MODES = ("backward", "forward", "full", "none")
MAX_STEPS = 5_000
"""Comparisons after which a proof is given up: about a second."""


class Incompatible(NamedTuple):
    """Why one schema may not follow another.

    Attributes:
        direction: `backward` when the new schema may refuse what the old one accepts, `forward`
            when it is the other way around.
        pointer: The place in the schema that may refuse (RFC 6901).
        reason: What it may refuse there.
    """

    direction: str
    pointer: str
    reason: str

    def __str__(self) -> str:
        new, old = ("new", "old") if self.direction == "backward" else ("old", "new")
        return (
            f"The {new} schema may refuse events that the {old} one accepts:"
            f" at {self.pointer or 'its top'}, {self.reason}."
        )


def incompatibility(old: Document, new: Document, mode: str) -> Incompatible | None:
    """Say why `new` may not follow `old`, or `None` when it is proved that it may.

    Args:
        old: The schema before.
        new: The schema after.
        mode: `backward`: who publishes by the old schema may go on; `forward`: whoever reads by the
            old schema may go on; `full`: both; `none`: anything goes.
    """
    if mode in {"backward", "full"}:
        gap = gap_between(old, new)
        if gap is not None:
            return Incompatible("backward", *gap)
    if mode in {"forward", "full"}:
        gap = gap_between(new, old)
        if gap is not None:
            return Incompatible("forward", *gap)
    return None


def gap_between(given: Document, accepting: Document) -> Gap | None:
    """Say where `accepting` may refuse a value that `given` accepts; `None` when it never does."""
    if same(given.root, accepting.root):
        return None
    try:
        return Proof().gap(Given((given.root,)), accepting.root)
    except RecursionError:
        return Gap("", "it is nested too deeply for a proof")
    except OutOfSteps:
        return Gap("", "it is too intricate for a proof")


class OutOfSteps(Exception):
    """A proof takes too long."""


class Given(NamedTuple):
    """What is given of a value.

    Attributes:
        nodes: The schemas it is valid under.
        kinds: The kinds it may be of.
        taken: The schemas whose choices have been made.
    """

    nodes: tuple[Node, ...]
    kinds: frozenset[str] = ALL
    taken: frozenset[tuple[int, str]] = frozenset()


Goal = tuple[
    frozenset[tuple[int, str]], frozenset[str], frozenset[tuple[int, str]], tuple[int, str]
]
"""What tells one thing to prove from another: what is given, and the schema."""


class Proof:
    """One search for a proof.

    A goal that is met again is taken as proved: no schema comes back to itself at the same value
    (a document with such a loop is refused), so it is met further down. Were there a value against
    it, there would be a smaller one within that value, and so on without end, but values do end.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._open: dict[Goal, int] = {}
        self._decided: dict[Goal, Gap | None] = {}
        self._leaning = math.inf

    def gap(self, given: Given, node: Node) -> Gap | None:
        """Say what is missing to prove that each value given is valid under a schema."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise OutOfSteps
        if node.schema is True:
            return None
        goal = (frozenset(each.key for each in given.nodes), given.kinds, given.taken, node.key)
        if goal in self._decided:
            return self._decided[goal]
        if goal in self._open:
            self._leaning = min(self._leaning, self._open[goal])
            return None
        return self._decide(goal, given, node)

    def _decide(self, goal: Goal, given: Given, node: Node) -> Gap | None:
        """Look for a proof, and keep the outcome unless it leans on a goal that is still open."""
        place, leaning = len(self._open), self._leaning
        self._open[goal] = place
        self._leaning = math.inf
        gap = self._gap(given, node)
        del self._open[goal]
        if gap is not None or self._leaning >= place:
            self._decided[goal] = gap
            self._leaning = leaning
        else:
            self._leaning = min(self._leaning, leaning)
        return gap

    def _gap(self, given: Given, node: Node) -> Gap | None:
        facts = Facts(given.nodes, given.kinds)
        if any(same(each, node) for each in facts.nodes):
            return None
        gap = self._gap_of_facts(given, facts, node)
        if gap is None or is_empty(given.nodes, given.kinds):
            return None
        for choice in facts.nodes:
            ways = [] if choice.key in given.taken else cases(choice)
            if ways:
                taken = given.taken | {choice.key}
                each = (Given((*given.nodes, *way), facts.kinds, taken) for way in ways)
                return next(filter(None, (self.gap(way, node) for way in each)), None)
        return gap

    def _gap_of_facts(self, given: Given, facts: Facts, node: Node) -> Gap | None:
        if node.schema is False:
            return (
                None if is_empty(facts.nodes, facts.kinds) else Gap(node.pointer, "it is refused")
            )
        if facts.values is not None:
            refused = [value for value in facts.values if not node.accepts(value)]
            return Gap(node.pointer, f"{shown(refused[0])} is refused") if refused else None
        for kind in sorted(facts.kinds):
            gap = self._gap_of_kind(given._replace(kinds=frozenset({kind})), node)
            if gap is not None:
                return gap
        return None

    def _gap_of_kind(self, given: Given, node: Node) -> Gap | None:
        facts = Facts(given.nodes, given.kinds)
        if facts.values is not None and all(map(node.accepts, facts.values)):
            return None
        (kind,) = given.kinds

        def here(more: Iterable[Node], there: Node) -> Gap | None:
            return self.gap(given._replace(nodes=(*given.nodes, *more)), there)

        def below(nodes: Iterable[Node], there: Node) -> Gap | None:
            return self.gap(Given(tuple(nodes)), there)

        claim = Claim(facts, node, here, below)
        checks = {**CHECKS, **CHECKS_OF_KIND.get(kind, {})}
        gaps = (checks[keyword](claim, keyword) for keyword in node.schema if keyword in checks)
        return next(filter(None, gaps), None)
