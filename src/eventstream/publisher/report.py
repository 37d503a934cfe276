"""What became of a bulk publisher's events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eventstream.log.bulk import BulkProducer

_MICROSECONDS = 1_000_000
_LONGEST_US = 3600 * _MICROSECONDS
_DIGITS = 3


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of one process.

    Attributes:
        sent: Events handed to the producer.
        acknowledged: Events that all in-sync replicas have.
        unknown: Events without an answer in time; they may be in the log.
        failures: How many are not in the log, by the sentence that says why.
        latencies: From hand-over to acknowledgement, in microseconds: an encoded HdrHistogram.
        began_s: When the first was sent, on the machine's monotonic clock.
        ended_s: When the last was answered.
        stopped: Why the source was not read to its end, if it was not.
    """

    sent: int
    acknowledged: int
    unknown: int
    failures: dict[str, int]
    latencies: str
    began_s: float
    ended_s: float
    stopped: str | None = None

    @classmethod
    def of(
        cls, producer: BulkProducer, began_s: float, ended_s: float, stopped: str | None
    ) -> Outcome:
        """Take a producer's counts, once nothing more will be answered."""
        return cls(
            sent=producer.sent,
            acknowledged=producer.acknowledged,
            unknown=producer.unknown + producer.unanswered,
            failures=dict(producer.failures),
            latencies=_encode(producer.latencies_s),
            began_s=began_s,
            ended_s=ended_s,
            stopped=stopped,
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all events; times in seconds, latencies in milliseconds."""

    topic: str
    sent: int
    acknowledged: int
    failed: int
    unknown: int
    seconds: float
    events_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failures: dict[str, int]
    stopped: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the source was read to its end and every event is acknowledged."""
        return self.stopped is None and self.sent == self.acknowledged


def summarize(topic: str, outcomes: Sequence[Outcome]) -> Report:
    """Make one report of what the processes say."""
    acknowledged = sum(one.acknowledged for one in outcomes)
    failures: Counter[str] = Counter()
    latencies = _histogram()
    for one in outcomes:
        failures.update(one.failures)
        latencies.decode_and_add(one.latencies)
    seconds = max(one.ended_s for one in outcomes) - min(one.began_s for one in outcomes)

    def at(percentile: float) -> float:
        return round(float(latencies.get_value_at_percentile(percentile)) / 1000, 3)

    return Report(
        topic=topic,
        sent=sum(one.sent for one in outcomes),
        acknowledged=acknowledged,
        failed=failures.total(),
        unknown=sum(one.unknown for one in outcomes),
        seconds=round(seconds, 3),
        events_per_second=round(acknowledged / seconds, 1),
        p50_ms=at(50),
        p99_ms=at(99),
        p999_ms=at(99.9),
        failures=dict(failures),
        stopped=next((one.stopped for one in outcomes if one.stopped), None),
    )


def _histogram() -> HdrHistogram:
    return HdrHistogram(1, _LONGEST_US, _DIGITS)


def _encode(latencies_s: Iterable[float]) -> str:
    histogram = _histogram()
    for latency_s in latencies_s:
        histogram.record_value(int(latency_s * _MICROSECONDS))
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")
