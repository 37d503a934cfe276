"""One /metrics for all processes of a machine.

Each process writes its samples into a file of its own, once a second, and holds a lock beside it
for as long as it lives. A scrape, in whichever process, adds up all files: counters of processes
that died stay in the sum, their gauges don't.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from eventstream.observe.metrics import LATENCY_BOUNDS_S, METRICS, Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric as Family

WRITE_INTERVAL_S = 1.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SAMPLES = ".samples"
_LOCK = ".lock"
_RETIRED = "retired.samples"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Sample]).decode


class ProcessSamples:
    """This process's samples, where every process of the machine finds them.

    Args:
        folder: Where all processes of the machine write theirs.
        collect: Takes the samples; called in the thread that calls `write`.
    """

    def __init__(self, folder: Path, collect: Callable[[], Iterable[Sample]]) -> None:
        self._folder = folder
        self._collect = collect
        folder.mkdir(parents=True, exist_ok=True)
        _retire_the_dead(folder)
        descriptor, name = tempfile.mkstemp(_LOCK, f"{os.getpid()}-", folder)
        self._lock = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._path = Path(name).with_suffix(_SAMPLES)
        self.write()

    def write(self) -> None:
        """Write the samples as they are now."""
        _write(self._path, self._collect())

    def close(self) -> None:
        """Write the last samples and let go; the counters stay in the machine's sums."""
        self.write()
        os.close(self._lock)

    def render(self) -> bytes:
        """Render the samples of all processes, this one's as of now, for Prometheus."""
        self.write()
        return render(machine_samples(self._folder))


def machine_samples(folder: Path) -> Iterator[Sample]:
    """Read the samples of all processes that write into `folder`, added up."""
    with _retiring(folder, fcntl.LOCK_SH):
        samples = list(_read_all(folder))
    return merge(samples)


def merge(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Add up the samples of one metric and one set of labels."""
    sums: dict[tuple[str, tuple[str, ...]], Sample] = {}
    for one in samples:
        identity = (one.metric, one.labels)
        before = sums.get(identity)
        if before is None:
            sums[identity] = one
        else:
            counts = tuple(map(sum, zip(before.counts, one.counts, strict=True)))
            sums[identity] = Sample(one.metric, one.labels, before.value + one.value, counts)
    yield from sums.values()


def render(samples: Iterable[Sample]) -> bytes:
    """Render merged samples in Prometheus' text format."""
    by_metric: dict[str, list[Sample]] = {}
    for one in samples:
        by_metric.setdefault(one.metric, []).append(one)
    registry = CollectorRegistry()
    registry.register(_Families(by_metric))
    return generate_latest(registry)


class _Families:
    def __init__(self, by_metric: dict[str, list[Sample]]) -> None:
        self._by_metric = by_metric

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            yield _family(metric, self._by_metric.get(metric.name, []))


def _family(metric: Metric, samples: list[Sample]) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [*map(str, LATENCY_BOUNDS_S), "+Inf"]
        for one in samples:
            cumulative = [sum(one.counts[: n + 1]) for n in range(len(one.counts))]
            buckets = list(zip(bounds, cumulative, strict=True))
            histogram.add_metric(one.labels, buckets, sum_value=one.value)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for one in samples:
        family.add_metric(one.labels, one.value)
    return family


def _read_all(folder: Path) -> Iterator[Sample]:
    for path in folder.glob("*" + _SAMPLES):
        samples = _read(path)
        yield from samples if _is_alive(path) else _lasting(samples)


def _retire_the_dead(folder: Path) -> None:
    """Fold the files of processes that are gone into one."""
    with _retiring(folder, fcntl.LOCK_EX):
        dead = [path for path in folder.glob("*" + _SAMPLES) if not _is_alive(path)]
        _write(
            folder / _RETIRED, list(merge(_lasting(one for path in dead for one in _read(path))))
        )
        for path in dead:
            if path.name != _RETIRED:
                path.unlink(missing_ok=True)
                path.with_suffix(_LOCK).unlink(missing_ok=True)


@contextlib.contextmanager
def _retiring(folder: Path, kind: int) -> Iterator[None]:
    """Keep a reader from counting a file twice, or not at all, while it is folded."""
    with (folder / "retiring").open("a") as lock:
        fcntl.flock(lock, kind)
        yield


def _write(path: Path, samples: Iterable[Sample]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(_encode(list(samples)))
    fresh.replace(path)


def _read(path: Path) -> list[Sample]:
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return []


def _lasting(samples: Iterable[Sample]) -> Iterator[Sample]:
    gauges = {metric.name for metric in METRICS if metric.kind == "gauge"}
    return (one for one in samples if one.metric not in gauges)


def _is_alive(path: Path) -> bool:
    """Whether the process that writes these samples still holds its lock."""
    try:
        with path.with_suffix(_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
