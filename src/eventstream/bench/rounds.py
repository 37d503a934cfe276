"""One measured load on one running gateway."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.latency import Latency, summarize
from eventstream.bench.load import run_load
from eventstream.bench.programs import CpuWatch
from eventstream.errors import LocalServerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.bench.load import Load


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one load showed of one gateway.

    Attributes:
        name: What was measured.
        cpu_us: CPU of the gateway's process per acknowledged event, user and system, in
            microseconds.
        acknowledged_per_second: Events.
        refused: Requests answered with anything but 200.
        unanswered: Requests without an answer.
        load_share: How much of one core the load itself took: near 1 it bounds the rate.
        publish: From the intended time to the answer, by request.
    """

    name: str
    cpu_us: float
    acknowledged_per_second: float
    refused: int
    unanswered: int
    load_share: float
    publish: Latency

    def __str__(self) -> str:
        troubles = self.refused or self.unanswered
        return (
            f"{self.name:<22} {self.cpu_us:6.2f} µs CPU per event,"
            f" {self.acknowledged_per_second:>9,.0f}/s, {self.publish},"
            f" load {self.load_share:.0%} of a core"
            + (f", refused {self.refused}, unanswered {self.unanswered}" if troubles else "")
        )


def measure(name: str, pid: int, load: Load) -> Round:
    """Run a load on the gateway of process `pid`.

    Raises:
        LocalServerError: Not one event was acknowledged.
    """
    with CpuWatch(pid) as cpu:
        outcome = run_load(load)
    events = len(outcome.acknowledged) * load.lines
    if not events:
        raise LocalServerError(
            f"{name}: not one event was acknowledged; {outcome.refused} requests were refused,"
            f" {outcome.unanswered} got no answer."
        )
    return Round(
        name=name,
        cpu_us=round(cpu.seconds(outcome.began_ns, outcome.ended_ns) / events * 1e6, 3),
        acknowledged_per_second=round(events / outcome.seconds, 1),
        refused=outcome.refused,
        unanswered=outcome.unanswered,
        load_share=round(outcome.busy_s / outcome.seconds, 3),
        publish=summarize(outcome.latencies_ns),
    )


def median_us(rounds: Iterable[Round]) -> float:
    """The median of rounds' CPU per event."""
    return statistics.median(each.cpu_us for each in rounds)


def median_p99_ms(rounds: Iterable[Round]) -> float:
    """The median of rounds' 99th percentiles."""
    return statistics.median(each.publish.p99_ms for each in rounds)
