"""Kafka, databases, gateway and worker on this machine, as one thing that starts and stops."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from eventstream.errors import LocalServerError
from eventstream.local import process, training
from eventstream.local.failures import last_words
from eventstream.local.kafka import LocalKafka
from eventstream.local.stores import Store
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.local.progress import Progress
    from eventstream.local.stores import Stores
    from eventstream.settings import BrokerSettings, HomeSettings

PARTITIONS = 6
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 60.0
_LOOK_INTERVAL_S = 0.05
_STATE = "stack.json"


class Service(msgspec.Struct, frozen=True):
    """One of the stack's programs.

    Attributes:
        name: `gateway` or `worker`.
        where: Its address, or what it runs.
        process: Its process.
        log: The file of its output.
    """

    name: str
    where: str
    process: process.ServerProcess
    log: str


class StackState(msgspec.Struct, frozen=True):
    """What `status` and `down` need to know of a stack.

    Attributes:
        owner: The process that holds the stack up; it ends it on SIGTERM.
        kafka: The brokers' addresses.
        services: The programs beside Kafka.
        ready: Whether all of them are.
        stores: The databases beside them.
    """

    owner: process.ServerProcess
    kafka: str
    services: tuple[Service, ...] = ()
    ready: bool = False
    stores: tuple[Store, ...] = ()


class Stack:
    """Starts the parts in order and stops them in the opposite one.

    Args:
        home: Where data, logs and state are.
        broker: The local Kafka.
        host: The gateway's address.
        port: The gateway's port.
        app: The worker's `module:app`; `None` runs no worker.
        processes: The worker's processes.
        stores: The databases, which gateway and worker are told how to reach.
        progress: Who hears of steps that take seconds.
    """

    def __init__(
        self,
        home: HomeSettings,
        broker: BrokerSettings,
        *,
        host: str,
        port: int,
        topic: str,
        app: str | None,
        processes: int,
        stores: Stores,
        progress: Progress,
    ) -> None:
        self._home = home
        self._host = host
        self._port = port
        self._topic = topic
        self._app = app
        self._processes = processes
        self._stores = stores
        self._progress = progress
        self._kafka = LocalKafka(home, broker, progress=progress)
        self._started_kafka = False
        self.state = StackState(_this_process(), "")

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Start everything and wait until an event can be published and handled.

        Call `stop` in any case: after an error, or Ctrl-C, for what was started until then.

        Raises:
            LocalServerError: Something did not start.
        """
        self._started_kafka = self._kafka.start()
        addresses = self._kafka.bootstrap_servers
        admin = Admin(KafkaSettings(bootstrap_servers=addresses))
        if self._topic not in admin.topics():
            admin.create_topic(self._topic, PARTITIONS)
        self._note(kafka=addresses)
        for store in self._stores.start():
            self._note(stores=(*self.state.stores, store))
        reach = [f"--bootstrap-servers={addresses}", f"--home={self._home.home}"]
        serve = [f"--host={self._host}", f"--port={self._port}", f"--default-topic={self._topic}"]
        gateway = self._launch("gateway", self.url, ["gateway", *reach, *serve])
        if self._app is not None:
            command = ["worker", self._app, *reach, f"--processes={self._processes}"]
            worker = self._launch("worker", self._app, command)
            self._wait(worker, lambda: b"worker ready" in _read(worker.log))
        self._wait(gateway, lambda: _answers(f"{self.url}/readyz"))
        self._note(ready=True)
        training.begin_if_due(self._home)

    def _launch(self, name: str, where: str, arguments: list[str]) -> Service:
        folder = self._home.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{name}.log"
        log.unlink(missing_ok=True)
        server = process.start(
            [sys.executable, "-u", "-m", "eventstream", *arguments],
            Path.cwd(),
            log,
            process.Owner.of(os.getpid()),
            {**os.environ, **self._stores.environment, "EVENTSTREAM_LOG_FORMAT": "json"},
        )
        service = Service(name, where, server, str(log))
        self._note(services=(*self.state.services, service))
        return service

    def _wait(self, service: Service, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not ready():
            if service.process.running is None:
                raise LocalServerError(f"The {service.name} did not start: {last_line(service)}.")
            if time.monotonic() > deadline:
                raise LocalServerError(
                    f"The {service.name} is not ready after {READY_TIMEOUT_S:.0f} s; its log is"
                    f" {service.log}."
                )
            time.sleep(_LOOK_INTERVAL_S)

    def ended(self) -> str | None:
        """Say what has ended by itself, and its last words; `None` while all runs."""
        for service in self.state.services:
            if service.process.running is None:
                return f"The {service.name} ended by itself: {last_line(service)}."
        for store in self.state.stores:
            if store.state == "ended":
                return f"The local {store.name} ended by itself: {store.ending}."
        return None

    def stop(self) -> None:
        """Stop the gateway, the worker, the databases, then Kafka, each with its work finished."""
        for service in self.state.services:
            self._progress.say(f"Stopping the {service.name} ...")
            service.process.signal(signal.SIGTERM)
            if process.wait_ended([service.process], STOP_TIMEOUT_S):
                service.process.signal(signal.SIGKILL)
                process.wait_ended([service.process], STOP_TIMEOUT_S)
        self._stores.stop()
        if self._started_kafka:
            self._progress.say("Stopping Kafka ...")
            self._kafka.stop()
        (self._home.home / _STATE).unlink(missing_ok=True)

    def _note(self, **changes: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)
        path = self._home.home / _STATE
        arriving = path.with_suffix(".new")
        arriving.write_bytes(msgspec.json.encode(self.state))
        arriving.replace(path)


def require_none(home: HomeSettings) -> None:
    """Refuse to go on beside a stack that runs in the same home.

    Raises:
        LocalServerError: There is one.
    """
    running = read_state(home)
    if running is not None:
        raise LocalServerError(
            f"A stack runs already, held up by process {running.owner.pid}; see it with eventstream"
            " status, stop it with eventstream down."
        )


def read_state(home: HomeSettings) -> StackState | None:
    """Read which stack runs in this home; `None` when there is none or its owner is gone."""
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        state = msgspec.json.decode((home.home / _STATE).read_bytes(), type=StackState)
        if state.owner.running is not None:
            return state
    return None


def last_line(service: Service) -> str:
    """Return the last line a program wrote, or how it ended."""
    return last_words(_read(service.log).decode(errors="replace"))


def _read(log: str) -> bytes:
    return Path(log).read_bytes()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own gateway
            return True
    except (OSError, urllib.error.URLError):
        return False


def _this_process() -> process.ServerProcess:
    me = psutil.Process()
    return process.ServerProcess(me.pid, me.create_time(), 0)
