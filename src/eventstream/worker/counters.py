"""What a worker counts for one topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.observe import metrics
from eventstream.observe.metrics import LATENCY_BOUNDS_S, Histogram, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.observe.metrics import Sample

QUICK_S = LATENCY_BOUNDS_S[0]
"""Attempts as quick as this are not counted one by one: they are what the others leave."""


class WorkerCounters:
    """Plain numbers, owned by the event loop; what can be worked out at a scrape is not counted.

    Attributes:
        received: Events taken from Kafka.
        forgotten: Those of them not handled when their partition left.
        failed_attempts: Handler calls that raised.
        given_up: Events that became dead letters.
        slow: Attempts that took longer than `QUICK_S`.
        busy_s: Time all attempts took together, in seconds.
    """

    __slots__ = ("busy_s", "failed_attempts", "forgotten", "given_up", "received", "slow")

    def __init__(self) -> None:
        self.received = 0
        self.forgotten = 0
        self.failed_attempts = 0
        self.given_up = 0
        self.slow = Histogram()
        self.busy_s = 0.0

    def handled(self, unfinished: int) -> int:
        """Count events whose handler finished, where so many of those received are not finished."""
        return self.received - self.forgotten - self.given_up - unfinished

    def samples(self, topic: str, handled: int) -> Iterator[Sample]:
        """Take the samples for a scrape, when so many events were handled."""
        seconds = Histogram()
        seconds.counts[:] = self.slow.counts
        seconds.counts[0] = handled + self.failed_attempts - sum(self.slow.counts)
        seconds.total = self.busy_s
        yield sample(metrics.RECEIVED, self.received, topic)
        yield sample(metrics.HANDLED, handled, topic)
        yield sample(metrics.FAILED_ATTEMPTS, self.failed_attempts, topic)
        yield sample(metrics.GIVEN_UP, self.given_up, topic)
        yield sample(metrics.HANDLER_SECONDS, seconds, topic)
