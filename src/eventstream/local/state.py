"""What a local cluster's folder remembers: which cluster it is, its ports, its processes."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING

import msgspec

from eventstream.errors import LocalServerError
from eventstream.local.config import Node
from eventstream.local.process import ServerProcess

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
    from pathlib import Path

STATE_NAME = "state.json"


class Broker(msgspec.Struct, frozen=True):
    """One broker: where it listens, and its process if it was started."""

    node: int
    port: int
    controller_port: int
    process: ServerProcess | None = None

    @property
    def listeners(self) -> Node:
        """Its id and ports."""
        return Node(self.node, self.port, self.controller_port)

    @property
    def is_running(self) -> bool:
        """Whether its process lives, paused or not."""
        return self.process is not None and self.process.running is not None

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal, if it lives."""
        if self.process is not None:
            self.process.signal(number)

    def pause(self) -> None:
        """Freeze its process, if it lives."""
        if self.process is not None:
            self.process.pause()

    def detach(self) -> None:
        """Let its process outlive the one that started it."""
        if self.process is not None:
            self.process.detach()


class State(msgspec.Struct, frozen=True):
    """A local cluster.

    Attributes:
        cluster_id: Kafka's id of the cluster.
        kafka: The version of Kafka that last wrote the data.
        brokers: Its brokers in the order of their ids.
    """

    cluster_id: str
    kafka: str
    brokers: tuple[Broker, ...]

    @property
    def running(self) -> tuple[Broker, ...]:
        """The brokers whose process lives."""
        return tuple(broker for broker in self.brokers if broker.is_running)

    def broker(self, node: int) -> Broker:
        """Return the broker with this id.

        Raises:
            LocalServerError: There is none.
        """
        for broker in self.brokers:
            if broker.node == node:
                return broker
        known = ", ".join(str(broker.node) for broker in self.brokers)
        raise LocalServerError(f"There is no broker {node} here; there is {known}.")

    def with_broker(self, changed: Broker) -> State:
        """Return the same cluster with one broker changed."""
        brokers = tuple(changed if each.node == changed.node else each for each in self.brokers)
        return msgspec.structs.replace(self, brokers=brokers)


def read(folder: Path) -> State | None:
    """Read the state of the cluster in `folder`; `None` when there is none.

    Raises:
        LocalServerError: The file is there and cannot be read.
    """
    path = folder / STATE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise LocalServerError(
            f"{path} cannot be read ({error}); start with --fresh to begin anew."
        ) from None


def write(folder: Path, state: State) -> None:
    """Write the state in one step: whoever reads sees the old one or the new one."""
    path = folder / STATE_NAME
    arriving = path.with_suffix(".new")
    arriving.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
    arriving.replace(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: one command at a time starts or stops what is in it."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
