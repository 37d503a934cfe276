"""When a failed event is tried again."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from attempt to attempt up to a cap, spread by chance.

    Attributes:
        first_s: The longest delay after the first attempt, in seconds.
        cap_s: The longest delay after any attempt, in seconds.
        jitter: Which part of a delay is left to chance, from 0 to 1: keys that failed together
            should not all come back together.
    """

    first_s: float = 0.1
    cap_s: float = 30.0
    jitter: float = 0.5

    def delay_s(self, attempt: int, chance: float) -> float:
        """Say how long to wait after a failed attempt.

        Args:
            attempt: Which attempt failed, from 1.
            chance: A random number from 0 to 1.
        """
        exponent = min(attempt - 1, _LONGEST_EXPONENT)
        longest = min(self.cap_s, self.first_s * 2.0**exponent)
        return longest * (1 - self.jitter * chance)
