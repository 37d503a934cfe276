"""Latencies to percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_US = 3_600_000_000
_DIGITS = 3


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of one histogram, in milliseconds."""

    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50_ms:.2f}, p99 {self.p99_ms:.2f}, p99.9 {self.p999_ms:.2f},"
            f" max {self.max_ms:.2f} ms"
        )


def summarize(latencies_ns: Iterable[int]) -> Latency:
    """Put latencies, in nanoseconds, into a histogram and read its percentiles."""
    histogram = HdrHistogram(1, _MOST_US, _DIGITS)
    for latency_ns in latencies_ns:
        histogram.record_value(max(1, latency_ns // 1000))

    def at(percentile: float) -> float:
        return round(float(histogram.get_value_at_percentile(percentile)) / 1000, 3)

    return Latency(at(50), at(99), at(99.9), at(100))
