"""Who may publish for a key that somebody reserved before; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.idempotency.contract import (
    Answered,
    Different,
    Reserved,
    Stale,
    Underway,
)

if TYPE_CHECKING:
    from eventstream.gateway.idempotency.contract import Ask, Verdict


class Held(NamedTuple):
    """What a store has under a key whose time is not over.

    Attributes:
        fingerprint: What the request was.
        mark: The token of the attempt that reserved it first.
        token: The token of the attempt that has it now; empty where it was given back.
        start: Where a search for its records begins.
        answer: The answer, or `None` while there is none.
        age_s: How long ago it was reserved.
        lease_left_s: How long it stays that attempt's; 0 or less when that is over.
    """

    fingerprint: bytes
    mark: bytes
    token: bytes
    start: bytes
    answer: bytes | None
    age_s: float
    lease_left_s: float


def decide(ask: Ask, held: Held) -> Verdict | None:
    """Say what an attempt is told; `None` is that it may take the key over."""
    if held.fingerprint != ask.fingerprint:
        return Different()
    if held.answer is not None:
        return Answered(held.answer)
    if held.token == ask.token:
        # It asked before, and did not hear the answer.
        return Reserved() if held.mark == held.token else Stale(held.mark, held.start)
    if held.lease_left_s > 0:
        return Underway(held.age_s, held.lease_left_s)
    return None
