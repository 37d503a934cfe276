"""More than can be published, for minutes: what the gateway still gets done, and what it takes.

What drains has to be less than a load on the same machine can offer, or the load is what is
measured. So the broker holds the gateway to a quota, as an operator would: it delays its answers,
events wait in the gateway up to its bound, and beyond it requests are refused. The best is measured
first, under the same quota: a closed loop, which never offers more than is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.gateway import our_gateway
from eventstream.bench.latency import Latency, summarize
from eventstream.bench.load import Load, run_load
from eventstream.bench.programs import CpuWatch, MemoryWatch, measured_topic
from eventstream.bench.quotas import producing_at_most
from eventstream.errors import LocalServerError

if TYPE_CHECKING:
    from eventstream.bench.load import Outcome
    from eventstream.settings import KafkaSettings

CLIENT_ID = "bench-overload"
CLOSED_CONNECTIONS = 256
EVENT_BYTES = 1000
QUOTA_WINDOW_S = 11.0
"""How far back the broker looks when it holds a client to a quota: what passes in a burst at first
comes again each time that has gone by, so whole numbers of it are measured."""
BEST_S = 6 * QUOTA_WINDOW_S


class OverloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway did while more was offered than Kafka took.

    Attributes:
        best_per_second: Acknowledged in a closed loop of 256 connections.
        offered_per_second: Requests sent.
        goodput_per_second: Acknowledged of them.
        refused: Other answers, by what they said.
        unanswered: Requests without an answer.
        publish: Of acknowledged events, from their intended time to the answer.
        busy: CPU of the gateway's process, as a share of one core.
        rss_mb: Its resident memory, in MB, every second of the load.
    """

    best_per_second: float
    offered_per_second: float
    goodput_per_second: float
    refused: dict[str, int]
    unanswered: int
    publish: Latency
    busy: float
    rss_mb: list[float]

    @property
    def offered(self) -> float:
        """What was offered over the best."""
        return round(self.offered_per_second / self.best_per_second, 2)

    @property
    def goodput(self) -> float:
        """What was acknowledged over the best."""
        return round(self.goodput_per_second / self.best_per_second, 3)

    @property
    def growth(self) -> float:
        """The mean memory of the last third over that of the first third."""
        third = max(1, len(self.rss_mb) // 3)
        return round(sum(self.rss_mb[-third:]) / sum(self.rss_mb[:third]), 3)

    @property
    def sound(self) -> bool:
        """Whether every request was answered: acknowledged, or told when to come again."""
        return not self.unanswered and all("Retry-After" in answer for answer in self.refused)


def run_overload(
    kafka: KafkaSettings,
    *,
    seconds: float,
    times: float,
    connections: int,
    quota_bytes: int,
    max_in_flight: int,
) -> OverloadReport:
    """Find the best rate under a quota, then offer a multiple of it, open loop.

    Raises:
        LocalServerError: Nothing was acknowledged, or the broker refuses the quota.
    """
    options = (f"--kafka-option=client.id={CLIENT_ID}", f"--max-in-flight={max_in_flight}")
    with (
        producing_at_most(kafka, CLIENT_ID, quota_bytes),
        measured_topic(kafka) as topic,
        our_gateway(kafka, *options) as gateway,
    ):
        closed = Load(
            port=gateway.port,
            topic=topic,
            connections=CLOSED_CONNECTIONS,
            seconds=BEST_S,
            warm_up_s=2 * QUOTA_WINDOW_S,
            size=EVENT_BYTES,
            keyed=False,
        )
        best = _acknowledged_per_second(run_load(closed))
        paced = msgspec.structs.replace(
            closed, connections=connections, seconds=seconds, rate=round(best * times)
        )
        with MemoryWatch(gateway.pid) as memory, CpuWatch(gateway.pid) as cpu:
            outcome = run_load(paced)
    return OverloadReport(
        best_per_second=round(best, 1),
        offered_per_second=round(outcome.measured / outcome.seconds, 1),
        goodput_per_second=round(_acknowledged_per_second(outcome), 1),
        refused=dict(sorted(outcome.refusals.items())),
        unanswered=outcome.unanswered,
        publish=summarize(outcome.latencies_ns),
        busy=round(cpu.seconds(outcome.began_ns, outcome.ended_ns) / outcome.seconds, 3),
        rss_mb=memory.megabytes(outcome.began_ns, outcome.ended_ns),
    )


def _acknowledged_per_second(outcome: Outcome) -> float:
    if not outcome.acknowledged:
        raise LocalServerError(
            f"Not one event was acknowledged: {outcome.refusals},"
            f" {outcome.unanswered} requests got no answer."
        )
    return len(outcome.acknowledged) / outcome.seconds
