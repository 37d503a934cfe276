"""What becomes of a reservation once its records are settled, and when to come back; pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.formats.contract import Placed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.gateway.formats.contract import Outcome

SEND_WITHIN_S = 3.0
SETTLE_S = 5.0
_UNAVAILABLE = 503
_TOO_MANY = 429
_SERVER_ERRORS = 500


class Lease(NamedTuple):
    """How long a reservation is its owner's.

    While it lasts nobody else publishes for the key; after it no record of the owner's may still
    arrive. So it covers the time in which the owner may begin to send, the producer's delivery
    time-out, and the time a broker may take over a request that is in its hands already.

    Attributes:
        send_within_s: From the reservation on, how long its owner may begin to send.
        total_s: From the reservation on, when others may resolve it.
    """

    send_within_s: float
    total_s: float

    @classmethod
    def for_delivery(cls, delivery_timeout_s: float) -> Lease:
        """Return the lease for a producer's delivery time-out."""
        return cls(SEND_WITHIN_S, SEND_WITHIN_S + delivery_timeout_s + SETTLE_S)


class Settlement(Enum):
    """What becomes of a reservation."""

    COMPLETE = auto()
    """Something is written and the rest never will be: the answer is the key's, for good."""
    RELEASE = auto()
    """Nothing is written, and nothing can be: the key is free again."""
    GIVE_BACK = auto()
    """Something is written, and the rest failed for now: a retry may write the rest at once."""
    KEEP = auto()
    """Something may be written, or not: a retry looks once the lease is over."""


def settle(outcomes: Iterable[Outcome]) -> Settlement:
    """Decide from what became of every record of a request.

    A refusal of the client's (4xx) and 503 say that the record is not in the log. Of any other
    failure nobody knows.
    """
    is_placed = passes = False
    for outcome in outcomes:
        if isinstance(outcome, Placed):
            is_placed = True
        elif outcome.status >= _SERVER_ERRORS and outcome.status != _UNAVAILABLE:
            return Settlement.KEEP
        elif outcome.status in {_UNAVAILABLE, _TOO_MANY}:
            passes = True
    if not is_placed:
        return Settlement.RELEASE
    return Settlement.GIVE_BACK if passes else Settlement.COMPLETE


def retry_after_s(age_s: float, lease_left_s: float) -> int:
    """Say when a retry is worth its while, in whole seconds.

    A first request mostly takes milliseconds. One that has taken long already may have lost its
    process, and is resolved when its lease ends: the older it is, the later, up to that.
    """
    return max(1, round(min(age_s, lease_left_s)))
