"""Our gateway beside one in Go: the same loads on each in turn, real Kafka behind both.

Both validate JSON, keep metrics, check an API key and wait for all in-sync replicas. Each load
meets a fresh process and a fresh topic.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.bench.gateway import our_gateway
from eventstream.bench.go_peer import go_gateway
from eventstream.bench.load import Load
from eventstream.bench.programs import measured_topic
from eventstream.bench.rounds import Round, measure, median_p99_ms, median_us
from eventstream.gateway.access import key_file, keys

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from eventstream.bench.gateway import RunningGateway
    from eventstream.settings import KafkaSettings

WARM_UP_S = 15.0
"""How long the broker is loaded first, so that neither side is the one that warms its JVM."""
LOADS = ("single", "ndjson", "paced")
"""One event a request, closed loop; many lines a request, closed loop; one event, open loop."""
LINES = 1_000
_CALLER = "bench"
LINES_CONNECTIONS = 16
"""16,000 events under way: within the bounds of both."""


class Side(NamedTuple):
    """One of the two.

    Attributes:
        name: What reports call it.
        program: The Go program; ours when `None`.
        options: Its command line.
    """

    name: str
    program: Path | None
    options: tuple[str, ...]

    def running(self, kafka: KafkaSettings) -> AbstractContextManager[RunningGateway]:
        """Start it, and stop it at the end."""
        if self.program is None:
            return our_gateway(kafka, *self.options)
        return go_gateway(self.program, kafka, *self.options)


class Caller(NamedTuple):
    """Who publishes.

    Attributes:
        api_key: What it shows.
        to_ours: What tells our gateway of it, on its command line.
        to_go: What tells the Go gateway.
    """

    api_key: str
    to_ours: tuple[str, ...]
    to_go: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One load on both, in interleaved rounds."""

    ours: list[Round] = msgspec.field(default_factory=list)
    go: list[Round] = msgspec.field(default_factory=list)

    @property
    def cpu_ratio(self) -> float:
        """The median of our CPU per event over Go's."""
        return round(median_us(self.ours) / median_us(self.go), 3)

    @property
    def p99_ratio(self) -> float:
        """The median of our 99th percentiles over Go's."""
        return round(median_p99_ms(self.ours) / median_p99_ms(self.go), 3)


class GatewayPeerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What each load showed of both.

    Attributes:
        keyed: Whether single events have keys, by Zipf's law.
        checks_keys: Whether callers show an API key, and both check it.
        rate: Publishes a second of the open loop.
        loads: By `LOADS`.
    """

    keyed: bool
    checks_keys: bool
    rate: int
    loads: dict[str, Comparison]


def run_gateway_peer(
    kafka: KafkaSettings,
    program: Path,
    names: Collection[str],
    *,
    connections: int,
    rate: int,
    seconds: float,
    rounds: int,
    keyed: bool,
    checks_keys: bool,
) -> GatewayPeerReport:
    """Measure both in turn.

    Args:
        kafka: Where events go.
        program: The Go gateway.
        names: The loads, of `LOADS`.
        connections: How many are kept open for single publishes.
        rate: Publishes a second of the open loop.
        seconds: How long each load is measured.
        rounds: How often each side meets each load.
        keyed: Whether single events have keys, by Zipf's law.
        checks_keys: Whether callers show an API key, and both check it.
    """
    comparisons = {name: Comparison() for name in names}
    with tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder:
        caller = _make_caller(Path(folder)) if checks_keys else Caller("", (), ())
        ours = Side("ours", None, caller.to_ours)
        go = Side("Go", program, caller.to_go)
        single = Load(
            port=0,
            topic="",
            connections=connections,
            seconds=seconds,
            keyed=keyed,
            api_key=caller.api_key,
        )
        paced = msgspec.structs.replace(single, rate=rate)
        lines = msgspec.structs.replace(
            single, connections=LINES_CONNECTIONS, keyed=False, form="ndjson", lines=LINES
        )
        loads = dict(zip(LOADS, (single, lines, paced), strict=True))
        _measure(kafka, ours, msgspec.structs.replace(paced, warm_up_s=WARM_UP_S, seconds=1))
        for _ in range(rounds):
            for name, comparison in comparisons.items():
                comparison.ours.append(_measure(kafka, ours, loads[name]))
                comparison.go.append(_measure(kafka, go, loads[name]))
    return GatewayPeerReport(
        keyed=keyed,
        checks_keys=checks_keys,
        rate=rate,
        loads=comparisons,
    )


def _measure(kafka: KafkaSettings, side: Side, load: Load) -> Round:
    with measured_topic(kafka) as topic, side.running(kafka) as gateway:
        load = msgspec.structs.replace(load, port=gateway.port, topic=topic)
        return measure(side.name, gateway.pid, load)


def _make_caller(folder: Path) -> Caller:
    """Make an API key that may write anything, and write down what each side knows it by."""
    secret = keys.new_secret(_CALLER)
    sha256 = keys.digest(secret)
    to_ours, to_go = folder / "keys.json", folder / "digests"
    with key_file.changing(to_ours) as known:
        known.append(keys.Key(name=_CALLER, sha256=sha256, created=datetime.now(UTC), write=("*",)))
    to_go.write_text(sha256 + "\n")
    return Caller(secret, (f"--keys-file={to_ours}",), (f"-keys={to_go}",))
