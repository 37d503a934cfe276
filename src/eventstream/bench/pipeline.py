"""The whole way of an event: HTTP, Kafka, a handler in a worker, open loop."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.latency import Latency, summarize
from eventstream.bench.load import Load, Outcome, run_load
from eventstream.bench.programs import PARTITIONS, CpuWatch, Program, measured_topic
from eventstream.bench.recorder import Records
from eventstream.log.groups import Groups

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings

LAST_EVENTS_TIMEOUT_S = 30.0
WARM_UP_S = 15.0
"""Until the broker's JVM has compiled what this load makes it do."""


class PipelineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the pipeline showed.

    Attributes:
        offered: Events meant to be sent in the measured part.
        acknowledged_per_second: Events acknowledged, a second.
        refused: Requests answered with anything but 200.
        unanswered: Requests without an answer.
        lost: Acknowledged events that no handler saw.
        duplicated: Events that reached a handler more than once.
        out_of_order: Events handled after a later one of their key.
        publish: From the intended time to the answer.
        end_to_end: From the intended time to the handler.
        gateway_us: The gateway's CPU time per acknowledged event, in microseconds.
        worker_us: The worker's, likewise.
    """

    rate: int
    seconds: float
    connections: int
    offered: int
    acknowledged: int
    acknowledged_per_second: float
    refused: int
    unanswered: int
    lost: int
    duplicated: int
    out_of_order: int
    publish: Latency
    end_to_end: Latency
    gateway_us: float
    worker_us: float

    @property
    def sound(self) -> bool:
        """Whether nothing was refused, lost, duplicated or out of order."""
        return not (
            self.refused or self.unanswered or self.lost or self.duplicated or self.out_of_order
        )


def run_pipeline(
    kafka: KafkaSettings, *, rate: int, seconds: float, connections: int, size: int = 100
) -> PipelineReport:
    """Publish at a steady rate for a while and see what reaches the handler."""
    where = f"--bootstrap-servers={kafka.bootstrap_servers}"
    with (
        tempfile.TemporaryDirectory(prefix="eventstream-bench-") as name,
        measured_topic(kafka) as topic,
    ):
        folder = Path(name)
        home = f"--home={folder}"
        gateway = ["gateway", where, home, "--port=0", f"--default-topic={topic}"]
        worker = ["worker", "eventstream.bench.recorder:app", where, home, f"--group={topic}"]
        with Program(gateway, folder, "gateway listens") as gateway_program:
            recording = {
                "EVENTSTREAM_BENCH_TOPIC": topic,
                "EVENTSTREAM_BENCH_RECORD": str(folder / "record"),
            }
            port = int(str(gateway_program.started["url"]).rpartition(":")[2])
            with Program(worker, folder, "worker ready", recording) as worker_program:
                load = Load(
                    port=port,
                    topic=topic,
                    connections=connections,
                    seconds=seconds,
                    warm_up_s=WARM_UP_S,
                    rate=rate,
                    size=size,
                )
                with (
                    CpuWatch(gateway_program.process.pid) as gateway_cpu,
                    CpuWatch(worker_program.process.pid) as worker_cpu,
                ):
                    outcome = run_load(load)
                _wait_until_handled(kafka, topic)
        records = [Records(path) for path in folder.glob("record.*")]
    measured = outcome.began_ns, outcome.ended_ns
    return _report(
        load,
        outcome,
        records,
        gateway_us=gateway_cpu.seconds(*measured) / len(outcome.acknowledged) * 1e6,
        worker_us=worker_cpu.seconds(*measured) / len(outcome.acknowledged) * 1e6,
    )


def _wait_until_handled(kafka: KafkaSettings, topic: str) -> None:
    """Wait until the group has committed all there is, or no longer than is reasonable."""
    groups = Groups(kafka)
    deadline = time.monotonic() + LAST_EVENTS_TIMEOUT_S
    while any(groups.lag(topic, topic, PARTITIONS).values()) and time.monotonic() < deadline:
        time.sleep(0.05)


def _report(
    load: Load, outcome: Outcome, records: list[Records], *, gateway_us: float, worker_us: float
) -> PipelineReport:
    seen = Counter(number for record in records for number in record.numbers)
    first = outcome.first
    return PipelineReport(
        rate=load.rate,
        seconds=load.seconds,
        connections=load.connections,
        offered=int(load.rate * load.seconds),
        acknowledged=len(outcome.acknowledged),
        acknowledged_per_second=round(len(outcome.acknowledged) / outcome.seconds, 1),
        refused=outcome.refused,
        unanswered=outcome.unanswered,
        lost=sum(number not in seen for number in outcome.acknowledged),
        duplicated=sum(count - 1 for count in seen.values()),
        out_of_order=sum(record.out_of_order() for record in records),
        publish=summarize(outcome.latencies_ns),
        end_to_end=summarize(
            latency_ns
            for record in records
            for number, latency_ns in zip(record.numbers, record.latencies_ns, strict=True)
            if number >= first
        ),
        gateway_us=round(gateway_us, 2),
        worker_us=round(worker_us, 2),
    )
