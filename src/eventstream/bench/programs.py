"""The programs under measurement, as processes of their own: started, watched, stopped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
import psutil

from eventstream.errors import LocalServerError
from eventstream.local import training
from eventstream.local.kafka import LocalKafka
from eventstream.local.postgres import start_postgres
from eventstream.local.progress import Terminal
from eventstream.log.admin import Admin
from eventstream.settings import BrokerSettings, HomeSettings, KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PARTITIONS = 6
STARTED_TIMEOUT_S = 30.0
STOPPED_TIMEOUT_S = 60.0
MEMORY_INTERVAL_S = 1.0
_SAMPLE_S = 0.05


class Program:
    """One `eventstream` command, running.

    Args:
        arguments: The command line after `eventstream`.
        folder: Where its log goes.
        started: The log's event that says it has started.
        environment: Further environment variables.
    """

    def __init__(
        self,
        arguments: list[str],
        folder: Path,
        started: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "eventstream", *arguments, "--log-format=json"],
                stderr=log,
                stdout=log,
                env={**os.environ, **(environment or {})},
            )
        self.started = self._wait_for(started)

    def _wait_for(self, event: str) -> dict[str, object]:
        deadline = time.monotonic() + STARTED_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self._log.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    entry = msgspec.json.decode(line)
                    if entry.get("event") == event:
                        return dict(entry)
            time.sleep(_SAMPLE_S)
        self.stop()
        raise LocalServerError(
            f"`eventstream {self._log.name.split('-')[0]}` did not start:"
            f" {self._log.read_text(errors='replace')[-500:].strip()}"
        )

    def stop(self) -> None:
        """Stop it with SIGTERM, and wait until it has."""
        self.process.terminate()
        try:
            self.process.wait(STOPPED_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Watch:
    """Notes a figure of a process all along, so that any part of a run can be looked at later."""

    def __init__(self, look: Callable[[], float], interval_s: float) -> None:
        self._look = look
        self._interval_s = interval_s
        self._samples: list[tuple[int, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._samples.append((time.monotonic_ns(), self._look()))


class CpuWatch(_Watch):
    """Notes a process's CPU time."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)

        def busy_s() -> float:
            times = process.cpu_times()
            return float(times.user + times.system)

        super().__init__(busy_s, _SAMPLE_S)

    def seconds(self, began_ns: int, ended_ns: int) -> float:
        """CPU seconds, user and system, between two times of the monotonic clock."""
        return self._at(ended_ns) - self._at(began_ns)

    def _at(self, time_ns: int) -> float:
        return min(self._samples, key=lambda sample: abs(sample[0] - time_ns))[1]


class MemoryWatch(_Watch):
    """Notes a process's resident memory."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        super().__init__(lambda: float(process.memory_info().rss), MEMORY_INTERVAL_S)

    def megabytes(self, began_ns: int, ended_ns: int) -> list[float]:
        """List what was noted between two times of the monotonic clock, in MB."""
        return [
            round(size / 1e6, 1) for at_ns, size in self._samples if began_ns <= at_ns <= ended_ns
        ]


def measured_alone(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> bytes:
    """Run a module's measurement in a process of its own, and return what it prints.

    Raises:
        LocalServerError: The process failed.
    """
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip()[-500:]
        raise LocalServerError(f"Measuring {arguments[-1]} failed: {said}")
    return result.stdout


@contextlib.contextmanager
def measured_kafka(bootstrap_servers: str | None, home: HomeSettings) -> Iterator[KafkaSettings]:
    """Give the Kafka to measure with: the one named, or a fresh one that ends with the run."""
    if bootstrap_servers:
        yield KafkaSettings(bootstrap_servers=bootstrap_servers)
        return
    with tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder:
        training.train(home, Terminal())
        local = HomeSettings(home=Path(folder), cache=home.cache)
        with LocalKafka(local, BrokerSettings(broker_port=0)) as kafka:
            yield KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)


@contextlib.contextmanager
def measured_postgres(dsn: str | None) -> Iterator[str]:
    """Give the DSN of the PostgreSQL to measure with, as `measured_kafka` gives a Kafka."""
    if dsn:
        yield dsn
        return
    with tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder:
        server = start_postgres(HomeSettings(home=Path(folder)))
        try:
            yield server.dsn
        finally:
            server.discard()


@contextlib.contextmanager
def measured_topic(kafka: KafkaSettings, partitions: int = PARTITIONS) -> Iterator[str]:
    """Give a topic for one measurement, deleted after it."""
    name = f"bench-{time.time_ns()}"
    admin = Admin(kafka)
    admin.create_topic(name, partitions)
    try:
        yield name
    finally:
        admin.delete_topic(name)
