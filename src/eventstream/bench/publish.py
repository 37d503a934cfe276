"""`eventstream publish` beside Kafka's own kafka-producer-perf-test."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.programs import measured_topic
from eventstream.errors import LocalServerError
from eventstream.local import jars, jvm

if TYPE_CHECKING:
    from eventstream.settings import HomeSettings, KafkaSettings

_RATE = re.compile(r"^(\d+) records sent, ([\d.]+) records/sec", re.MULTILINE)


class PublishReport(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second of both, by their own report, in interleaved rounds."""

    count: int
    size: int
    ours: list[float]
    perf_test: list[float]

    @property
    def ratio(self) -> float:
        """The median of ours over the median of Kafka's."""
        return round(statistics.median(self.ours) / statistics.median(self.perf_test), 2)


def run_publish(
    kafka: KafkaSettings, home: HomeSettings, *, count: int, size: int, rounds: int
) -> PublishReport:
    """Publish generated events with both in turn; both wait for all in-sync replicas."""
    classpath = jars.classpath("perf", home.cache)
    ours, perf_test = [], []
    for _ in range(rounds):
        with measured_topic(kafka) as topic:
            ours.append(_ours(kafka, topic, count, size))
        with measured_topic(kafka) as topic:
            perf_test.append(_perf_test(kafka, classpath, topic, count, size))
    return PublishReport(count=count, size=size, ours=ours, perf_test=perf_test)


def _ours(kafka: KafkaSettings, topic: str, count: int, size: int) -> float:
    command = [
        *(sys.executable, "-m", "eventstream", "publish", topic, "--json"),
        *(f"--count={count}", f"--size={size}"),
        f"--bootstrap-servers={kafka.bootstrap_servers}",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LocalServerError(f"eventstream publish failed: {result.stderr.strip()[-300:]}")
    return float(msgspec.json.decode(result.stdout)["events_per_second"])


def _perf_test(kafka: KafkaSettings, classpath: str, topic: str, count: int, size: int) -> float:
    command = [
        *(jvm.java(), "-cp", classpath, "org.apache.kafka.tools.ProducerPerformance"),
        *("--topic", topic, "--num-records", str(count), "--record-size", str(size)),
        *("--throughput", "-1", "--producer-props"),
        *(f"bootstrap.servers={kafka.bootstrap_servers}", "acks=all"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    totals = _RATE.findall(result.stdout)
    if result.returncode or not totals:
        raise LocalServerError(f"kafka-producer-perf-test failed: {result.stderr.strip()[-300:]}")
    return float(totals[-1][1])
