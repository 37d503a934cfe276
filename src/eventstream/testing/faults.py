"""What goes wrong, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random
    from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often things go wrong. By default nothing does.

    Attributes:
        kills: Processes that are killed, as by SIGKILL.
        pauses: Processes that stand still for a while, some longer than the group waits for them.
        restarts: Processes that are stopped well, and started again.
        joins: Processes that are added for a while.
        poison: The share of events whose handler always fails.
        failing: The share of attempts that fail before the handler is called.
        failing_after: The share of attempts that fail after the handler did its work.
        slow: The share of keys that are slow.
        slow_s: How long a slow key's handler takes, in seconds.
        refused: The share of records that Kafka does not take at first.
        unanswered: The share of records that it takes without telling.
        uncommitted: The share of commits that fail.
        gaps: The share of offsets that hold no record.
        expired: How often retention deletes what was not read yet.
    """

    kills: int = 0
    pauses: int = 0
    restarts: int = 0
    joins: int = 0
    poison: float = 0.0
    failing: float = 0.0
    failing_after: float = 0.0
    slow: float = 0.0
    slow_s: float = 1.0
    refused: float = 0.0
    unanswered: float = 0.0
    uncommitted: float = 0.0
    gaps: float = 0.0
    expired: int = 0

    @classmethod
    def drawn(cls, chance: Random) -> Self:
        """Draw faults: of each kind none half of the time, so that every mixture comes up."""
        most = cls(
            kills=4,
            pauses=2,
            restarts=4,
            joins=2,
            poison=0.03,
            failing=0.2,
            failing_after=0.1,
            slow=0.2,
            slow_s=5.0,
            refused=0.2,
            unanswered=0.1,
            uncommitted=0.3,
            gaps=0.3,
            expired=1,
        )
        drawn = {}
        for field in fields(cls):
            highest = getattr(most, field.name)
            if field.name != "slow_s" and chance.choice([True, False]):
                drawn[field.name] = type(highest)(0)
            elif isinstance(highest, int):
                drawn[field.name] = chance.randint(1, highest)
            else:
                drawn[field.name] = chance.random() * highest
        return cls(**drawn)

    @property
    def calm(self) -> Self:
        """The same without what ends by itself: poison stays poison, and slow keys slow."""
        return replace(
            self, failing=0.0, failing_after=0.0, refused=0.0, unanswered=0.0, uncommitted=0.0
        )
