"""What is counted of requests with an Idempotency-Key."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from eventstream.gateway.idempotency.contract import (
    Answered,
    Different,
    Reserved,
    Stale,
    Underway,
)
from eventstream.observe import metrics
from eventstream.observe.metrics import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.gateway.idempotency.contract import Verdict
    from eventstream.observe.metrics import Sample

_FOUND: dict[type[Verdict], str] = {
    Reserved: "new",
    Answered: "answered",
    Underway: "in_progress",
    Stale: "taken_over",
    Different: "reused",
}
_UNKNOWN = "unknown"


class KeyedCounters:
    """Plain numbers, owned by the event loop.

    Attributes:
        unkept: Answers that could not be kept.
    """

    __slots__ = ("_keys", "unkept")

    def __init__(self) -> None:
        self._keys = Counter(dict.fromkeys((*_FOUND.values(), _UNKNOWN), 0))
        self.unkept = 0

    def found(self, verdict: Verdict | None) -> None:
        """Count what the store said of a key; `None` is that it said nothing."""
        self._keys[_UNKNOWN if verdict is None else _FOUND[type(verdict)]] += 1

    def samples(self, forgotten: int) -> Iterator[Sample]:
        """Take the samples for a scrape, with what the store counted itself."""
        for key, count in self._keys.items():
            yield sample(metrics.KEYED, count, key)
        yield sample(metrics.KEYED_UNKEPT, self.unkept)
        yield sample(metrics.KEYED_FORGOTTEN, forgotten)
