"""What is to be proved of one schema at a time; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from eventstream.gateway.schemas.documents import Node
    from eventstream.gateway.schemas.facts import Facts


class Gap(NamedTuple):
    """Where a proof failed: the place in the schema that is to accept, and what is missing."""

    pointer: str
    reason: str


class Claim(NamedTuple):
    """That all values given, which are of one kind, are valid under a schema.

    Attributes:
        facts: What is given of the values.
        node: The schema.
        here: Says what is missing to prove that they are valid under a schema, if they are valid
            under some more as well.
        below: Says what is missing to prove that values within them, which are valid under some
            schemas, are valid under another.
    """

    facts: Facts
    node: Node
    here: Callable[[Iterable[Node], Node], Gap | None]
    below: Callable[[Iterable[Node], Node], Gap | None]

    def gap(self, keyword: str, reason: str) -> Gap:
        """Say what is missing for a keyword."""
        return Gap(f"{self.node.pointer}/{keyword}", reason)


Check = Callable[[Claim, str], "Gap | None"]
"""Says what is missing for the keyword of a claim's schema."""
