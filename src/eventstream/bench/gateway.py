"""CPU per acknowledged publish of both lanes, closed loop, side by side."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.bench.load import Load
from eventstream.bench.programs import Program, measured_topic
from eventstream.bench.rounds import Round, measure, median_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.settings import KafkaSettings


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of both lanes, interleaved, and the medians of their CPU per publish."""

    connections: int
    keyed: bool
    rounds: list[Round]
    fast_us: float
    asgi_us: float

    @property
    def ratio(self) -> float:
        """The fast lane's CPU per publish over the ASGI routes'."""
        return round(self.fast_us / self.asgi_us, 3)


class RunningGateway(NamedTuple):
    """A gateway's process and where it listens."""

    pid: int
    port: int


@contextlib.contextmanager
def our_gateway(kafka: KafkaSettings, *options: str) -> Iterator[RunningGateway]:
    """Start our gateway with further options, in a folder of its own, and stop it."""
    with tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder:
        command = [
            "gateway",
            f"--bootstrap-servers={kafka.bootstrap_servers}",
            f"--home={folder}",
            "--port=0",
            *options,
        ]
        with Program(command, Path(folder), "gateway listens") as program:
            port = int(str(program.started["url"]).rpartition(":")[2])
            yield RunningGateway(program.process.pid, port)


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
        fast_us=median_us(each for each in reports if each.name == "fast"),
        asgi_us=median_us(each for each in reports if each.name == "asgi"),
    )


def _measure(
    kafka: KafkaSettings, lane: str, connections: int, seconds: float, *, keyed: bool
) -> Round:
    option = "--fast-lane" if lane == "fast" else "--no-fast-lane"
    with measured_topic(kafka) as topic, our_gateway(kafka, option) as gateway:
        load = Load(
            port=gateway.port, topic=topic, connections=connections, seconds=seconds, keyed=keyed
        )
        return measure(lane, gateway.pid, load)
