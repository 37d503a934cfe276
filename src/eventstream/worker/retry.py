"""Whether a failed event is tried again, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from eventstream.backoff import Backoff
from eventstream.errors import InvalidSetting, Permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, and how long, a failing event is tried.

    Attributes:
        attempts: The most attempts; `None` for as many as it takes.
        deadline_s: How long after the first attempt of an event another one may begin, in seconds;
            `None` is no limit. A new owner of the partition counts anew.
        backoff: How long to wait between attempts.
        permanent: Errors, beside `Permanent`, that another attempt does not mend.
        transient: Errors that another attempt may mend though they are of a permanent kind.

    Raises:
        InvalidSetting: A limit is below what it can be.
    """

    attempts: int | None = 10
    deadline_s: float | None = None
    backoff: Backoff = field(default_factory=Backoff)
    permanent: tuple[type[BaseException], ...] = ()
    transient: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 1:
            raise InvalidSetting(f"Retry: attempts is {self.attempts}; the least is 1.")
        if self.deadline_s is not None and self.deadline_s <= 0:
            raise InvalidSetting(f"Retry: deadline_s is {self.deadline_s}; it must be above 0.")

    def delay_s(
        self, error: BaseException, attempt: int, elapsed_s: float, chance: float
    ) -> float | None:
        """Say how long to wait before the next attempt, in seconds; `None` if there is to be none.

        Args:
            error: What the attempt raised.
            attempt: Which attempt it was, from 1.
            elapsed_s: Seconds since the first attempt began.
            chance: A random number from 0 to 1.
        """
        if isinstance(error, (Permanent, *self.permanent)) and not isinstance(
            error, self.transient
        ):
            return None
        if self.attempts is not None and attempt >= self.attempts:
            return None
        delay_s = self.backoff.delay_s(attempt, chance)
        if self.deadline_s is not None and elapsed_s + delay_s > self.deadline_s:
            return None
        return delay_s
