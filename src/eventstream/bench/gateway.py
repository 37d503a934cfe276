"""CPU per acknowledged publish of both lanes, closed loop, side by side."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.latency import Latency, summarize
from eventstream.bench.load import Load, run_load
from eventstream.bench.programs import CpuWatch, Program, measured_topic

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings


class LaneReport(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one lane; CPU of the gateway process, user and system, in microseconds."""

    lane: str
    cpu_us: float
    acknowledged_per_second: float
    refused: int
    publish: Latency


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of both lanes, interleaved, and the medians of their CPU per publish."""

    connections: int
    keyed: bool
    rounds: list[LaneReport]
    fast_us: float
    asgi_us: float

    @property
    def ratio(self) -> float:
        """The fast lane's CPU per publish over the ASGI routes'."""
        return round(self.fast_us / self.asgi_us, 3)


def run_gateway(
    kafka: KafkaSettings, *, connections: int, seconds: float, rounds: int, keyed: bool
) -> GatewayReport:
    """Measure both lanes in turn."""
    reports = [
        _measure(kafka, lane, connections, seconds, keyed=keyed)
        for _ in range(rounds)
        for lane in ("fast", "asgi")
    ]
    return GatewayReport(
        connections=connections,
        keyed=keyed,
        rounds=reports,
        fast_us=_median(reports, "fast"),
        asgi_us=_median(reports, "asgi"),
    )


def _median(reports: list[LaneReport], lane: str) -> float:
    return statistics.median(report.cpu_us for report in reports if report.lane == lane)


def _measure(
    kafka: KafkaSettings, lane: str, connections: int, seconds: float, *, keyed: bool
) -> LaneReport:
    with (
        tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder,
        measured_topic(kafka) as topic,
    ):
        command = [
            "gateway",
            f"--bootstrap-servers={kafka.bootstrap_servers}",
            f"--home={folder}",
            "--port=0",
            "--fast-lane" if lane == "fast" else "--no-fast-lane",
        ]
        with Program(command, Path(folder), "gateway listens") as program:
            load = Load(
                port=int(str(program.started["url"]).rpartition(":")[2]),
                topic=topic,
                connections=connections,
                seconds=seconds,
                keyed=keyed,
            )
            with CpuWatch(program.process.pid) as cpu:
                outcome = run_load(load)
    acknowledged = len(outcome.acknowledged)
    return LaneReport(
        lane=lane,
        cpu_us=round(cpu.seconds(outcome.began_ns, outcome.ended_ns) / acknowledged * 1e6, 2),
        acknowledged_per_second=round(acknowledged / outcome.seconds, 1),
        refused=outcome.refused,
        publish=summarize(outcome.latencies_ns),
    )
