"""How many events a caller may send in a time: a token bucket; pure, time is passed in.

What a caller is told follows the IETF's draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_WHOLE = 1.0 - 1e-6
"""One token, but for the rounding of times."""


class Rate(NamedTuple):
    """A limit.

    Attributes:
        events_per_s: Events that may be sent in a second, in the long run.
        burst: Events that may be sent at once after a pause.
    """

    events_per_s: float
    burst: float

    def share(self, processes: int) -> Rate:
        """Return what each of several gateway processes lets through: they share nothing."""
        return Rate(self.events_per_s / processes, max(1.0, self.burst / processes))


class Bucket:
    """A token bucket: it gains tokens with time, up to the burst, and each event takes one.

    A request is let in while there is one whole token, and then takes as many as it has events: a
    large one leaves a debt that is worked off before the next. So a batch larger than the burst
    can be sent at all, and over any time no more events are let in than the burst, what the rate
    gives in that time, and one request.

    Args:
        rate: The limit.
    """

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._per_s = rate.events_per_s
        self._burst = rate.burst
        self._tokens = rate.burst
        self._at_s = -math.inf

    def take(self, events: int, now_s: float) -> bool:
        """Let a request's events in, or refuse it and take nothing.

        Args:
            events: How many it has, as far as is known.
            now_s: The time, in seconds of a clock that does not go back.
        """
        tokens = self._tokens + (now_s - self._at_s) * self._per_s
        self._at_s = now_s
        if tokens >= self._burst:
            self._tokens = self._burst - events
            return True
        if tokens >= _WHOLE:
            self._tokens = tokens - events
            return True
        self._tokens = tokens
        return False

    def charge(self, events: int) -> None:
        """Take tokens for events of a request that was let in before they were counted."""
        self._tokens -= events

    @property
    def retry_after_s(self) -> int:
        """When a request is let in again, in whole seconds after the last `take`; at least one."""
        return max(1, math.ceil((1.0 - self._tokens) / self._per_s))

    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Tell a refused caller the limit and what is left of it.

        `RateLimit-Policy` (section 3): `q` events in a window of `w` seconds. `qu` is the unit;
        `events` is not among the registered ones, of which none fits: a request may carry many.
        `RateLimit` (section 4): `r` is what remains, `t` the seconds until there is more, which
        `Retry-After` says too (section 6: it is never earlier).
        """
        window_s = max(1, math.ceil(self._burst / self._per_s))
        quota = max(1, math.floor(self._per_s * window_s))
        left = max(0, math.floor(self._tokens))
        return (
            (b"ratelimit-policy", b'"events";q=%d;w=%d;qu="events"' % (quota, window_s)),
            (b"ratelimit", b'"events";r=%d;t=%d' % (left, self.retry_after_s)),
        )
