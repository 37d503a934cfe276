"""A real Kafka on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Self

import msgspec

from eventstream.errors import LocalServerError
from eventstream.local import (
    config,
    jars,
    jvm,
    ports,
    process,
    readiness,
    state,
    status,
    storage,
)
from eventstream.local.aot import AotCache
from eventstream.local.progress import Silent
from eventstream.settings import BrokerSettings, HomeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from eventstream.local.progress import Progress
    from eventstream.local.state import Broker, State

STOP_TIMEOUT_S = 20.0
_PORT_ATTEMPTS = 3
_LOOK_INTERVAL_S = 0.05
_CLOSING_S = 0.5


class LocalKafka:
    """A cluster of one or more brokers in a folder of this machine.

    Everything it knows is in that folder, so any process may look at it, stop it or hurt it. The
    brokers end with the process that started them, unless `detach` lets them go. As a context
    manager it stops at the end what it started, and leaves alone what ran before.

    Args:
        home: Where its data and the cache of jars are. Several clusters run side by side in
            several homes.
        broker: How many brokers, their ports, and whether the first start wipes the data.
        owner_pid: The process the brokers end with; this one by default.
        progress: Who hears of steps that take seconds.
        min_free_bytes: Room on the disk without which no broker is started.
        jvm_flags: Further flags of the JVM, in place of its start-up cache.
    """

    def __init__(
        self,
        home: HomeSettings | None = None,
        broker: BrokerSettings | None = None,
        *,
        owner_pid: int | None = None,
        progress: Progress | None = None,
        min_free_bytes: int = storage.MIN_FREE_BYTES,
        jvm_flags: tuple[str, ...] | None = None,
    ) -> None:
        self._home = home or HomeSettings()
        self._settings = broker or BrokerSettings()
        self._owner_pid = owner_pid
        self._progress = progress or Silent()
        self._min_free_bytes = min_free_bytes
        self._jvm_flags = jvm_flags
        self._wipes = self._settings.fresh
        self._is_ours = False
        self.folder: Path = self._home.home.absolute() / "kafka"
        """The folder of the cluster: a folder per broker, and `state.json`."""

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all its brokers, for clients.

        Raises:
            LocalServerError: It was never started.
        """
        return config.addresses(broker.port for broker in self._state().brokers)

    @property
    def is_running(self) -> bool:
        """Whether any of its brokers lives."""
        found = state.read(self.folder)
        return found is not None and bool(found.running)

    def start(self) -> bool:
        """Start every broker that is not running and wait until the cluster answers with all.

        Returns:
            False when all brokers were running already.

        Raises:
            LocalServerError: It cannot start; what was started has been ended again.
        """
        storage.prepare(self.folder)
        with storage.writing(self.folder), state.locked(self.folder):
            cluster = self._cluster()
            dead = [broker for broker in cluster.brokers if not broker.is_running]
            if not dead:
                return False
            self._kill(dead)
            storage.require_room(self.folder, self._min_free_bytes)
            if cluster.running:
                self._launch(cluster, [broker.node for broker in dead])
            else:
                self._launch_all(cluster)
        return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> list[int]:
        """Stop all brokers cleanly.

        Returns:
            Node ids of those that had to be killed, because they took longer than `timeout_s`.
        """
        with self._changing() as cluster:
            return [broker.node for broker in self._close(cluster.brokers, timeout_s)]

    def kill(self, node: int | None = None) -> list[int]:
        """Kill one broker, or all, as a crash would; return the ids of those that were running."""
        with self._changing() as cluster:
            chosen = _running(cluster, node)
            self._kill(chosen)
            return [broker.node for broker in chosen]

    def pause(self, node: int | None = None) -> list[int]:
        """Freeze one broker, or all: it holds its connections and answers nothing."""
        with self._changing() as cluster:
            chosen = _running(cluster, node)
            for broker in chosen:
                broker.pause()
            return [broker.node for broker in chosen]

    def resume(self, node: int | None = None) -> list[int]:
        """Let one broker, or all, go on after a pause."""
        with self._changing() as cluster:
            chosen = _running(cluster, node)
            for broker in chosen:
                broker.signal(signal.SIGCONT)
            return [broker.node for broker in chosen]

    def restart(self, node: int) -> None:
        """Stop one broker if it runs, start it on the same port, wait until it takes part again."""
        with self._changing() as cluster:
            self._close([cluster.broker(node)], STOP_TIMEOUT_S)
            self._launch(cluster, [node])

    def detach(self) -> None:
        """Let the brokers outlive the process that started them."""
        for broker in self._state().running:
            broker.detach()

    def status(self) -> list[status.BrokerStatus]:
        """Return how each broker is; empty when there is no cluster in the folder."""
        found = state.read(self.folder)
        return [status.look(self.folder, broker) for broker in found.brokers] if found else []

    def __enter__(self) -> Self:
        self._is_ours = self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_ours:
            self.stop()

    def _cluster(self) -> State:
        """Return the cluster this start is about, wiped first where that is asked for."""
        found = None
        if self._wipes:
            self._wipe()
        else:
            found = state.read(self.folder) or storage.recover(self.folder)
        if found is None:
            nodes = range(1, self._settings.brokers + 1)
            brokers = tuple(state.Broker(node, 0, 0) for node in nodes)
            return state.State(config.new_id(), jars.lock().kafka, brokers)
        storage.require_usable(self.folder, found, self._settings.brokers)
        return found

    def _wipe(self) -> None:
        try:
            is_running = self.is_running
        except LocalServerError:
            is_running = False
        if is_running:
            raise LocalServerError(
                f"Kafka runs on the data in {self.folder}; stop it before wiping that:"
                " eventstream broker stop."
            )
        storage.wipe(self.folder)
        self._wipes = False

    def _launch_all(self, cluster: State) -> None:
        """Start a cluster of which nothing runs; a free port lost to somebody else costs a try."""
        attempts = 1 if self._settings.broker_port else _PORT_ATTEMPTS
        for attempts_left in reversed(range(attempts)):
            nodes = ports.choose(self._settings.brokers, self._settings.broker_port)
            ports.require_free(nodes)
            brokers = tuple(state.Broker(*node) for node in nodes)
            cluster = msgspec.structs.replace(cluster, brokers=brokers, kafka=jars.lock().kafka)
            try:
                return self._launch(cluster, [broker.node for broker in brokers])
            except LocalServerError as error:
                if not attempts_left or "Address already in use" not in str(error):
                    raise
        return None

    def _launch(self, cluster: State, nodes: list[int]) -> None:
        jvm.java()
        classpath = jars.classpath("broker", self._home.cache, self._progress)
        flags = self._jvm_flags
        if flags is None:
            flags = AotCache(self._home.cache, classpath).flags()
        command = jvm.broker_command(classpath, flags)
        try:
            for node in nodes:
                broker = cluster.broker(node)
                storage.format_node(self.folder, cluster, broker)
                server = self._spawn(broker, command)
                cluster = cluster.with_broker(msgspec.structs.replace(broker, process=server))
                state.write(self.folder, cluster)
            readiness.wait(self.folder, cluster, nodes)
        except BaseException:
            self._kill([cluster.broker(node) for node in nodes])
            raise

    def _spawn(self, broker: Broker, command: list[str]) -> process.ServerProcess:
        folder = self.folder / str(broker.node)
        console = folder / config.CONSOLE
        console.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / config.LOG).replace(folder / config.PREVIOUS_LOG)
        owner = process.Owner.of(self._owner_pid or os.getpid())
        return process.start(command, folder, console, owner, jvm.environment())

    def _close(self, brokers: Sequence[Broker], timeout_s: float) -> list[Broker]:
        """Stop brokers cleanly; return those that had to be killed after `timeout_s`.

        The last controller of several waits five more seconds for another to take over. Once all
        data is closed there is nothing left to wait for, and it is ended there.
        """
        stopping = [broker for broker in brokers if broker.is_running]
        for broker in stopping:
            broker.signal(signal.SIGCONT)
            broker.signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        left, closed = stopping, False
        while left and not closed and time.monotonic() < deadline:
            left = _still_running(left, _LOOK_INTERVAL_S)
            closed = len(stopping) > 1 and self._are_closed(left)
        if closed:
            left = _still_running(left, _CLOSING_S)
        self._kill(brokers)
        return [] if closed else left

    def _are_closed(self, brokers: list[Broker]) -> bool:
        return all(storage.is_closed(self.folder, broker.node) for broker in brokers)

    def _kill(self, brokers: Sequence[Broker]) -> None:
        """End brokers at once, and take leave of those that ended before."""
        for broker in brokers:
            broker.signal(signal.SIGKILL)
        _still_running(brokers, STOP_TIMEOUT_S)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[State]:
        if not self.folder.is_dir():
            raise self._absent()
        with storage.writing(self.folder), state.locked(self.folder):
            yield self._state()

    def _state(self) -> State:
        found = state.read(self.folder)
        if found is None:
            raise self._absent()
        return found

    def _absent(self) -> LocalServerError:
        return LocalServerError(
            f"There is no Kafka in {self.folder}; start one: eventstream broker start."
        )


def _running(cluster: State, node: int | None) -> list[Broker]:
    if node is None:
        return list(cluster.running)
    broker = cluster.broker(node)
    return [broker] if broker.is_running else []


def _still_running(brokers: Sequence[Broker], timeout_s: float) -> list[Broker]:
    processes = [broker.process for broker in brokers if broker.process is not None]
    left = process.wait_ended(processes, timeout_s)
    return [broker for broker in brokers if broker.process in left]
