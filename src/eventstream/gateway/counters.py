"""What a gateway process counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.observe import metrics
from eventstream.observe.metrics import Histogram, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.gateway.admission import Admission
    from eventstream.observe.metrics import Sample


class GatewayCounters:
    """Plain numbers, owned by the event loop."""

    __slots__ = (
        "_other",
        "acknowledged",
        "acknowledged_bytes",
        "connections",
        "failed",
        "ok",
        "publish_seconds",
        "rejected",
        "unknown",
    )

    def __init__(self) -> None:
        self.ok = 0
        self.acknowledged = 0
        self.acknowledged_bytes = 0
        self.rejected = 0
        self.failed = 0
        self.unknown = 0
        self.connections = 0
        self.publish_seconds = Histogram()
        self._other: dict[int, int] = {}

    def answered(self, status: int) -> None:
        """Count an answer; the hot path counts its own 200s in `ok`."""
        self._other[status] = self._other.get(status, 0) + 1

    def samples(self, admission: Admission) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        statuses = {**self._other, 200: self.ok + self._other.get(200, 0)}
        for status, count in statuses.items():
            yield sample(metrics.REQUESTS, count, str(status))
        for outcome in ("acknowledged", "rejected", "failed", "unknown"):
            yield sample(metrics.EVENTS, getattr(self, outcome), outcome)
        yield sample(metrics.EVENT_BYTES, self.acknowledged_bytes)
        yield sample(metrics.PUBLISH_SECONDS, self.publish_seconds)
        yield sample(metrics.IN_FLIGHT, admission.events)
        yield sample(metrics.IN_FLIGHT_BYTES, admission.bytes)
        yield sample(metrics.CONNECTIONS, self.connections)
