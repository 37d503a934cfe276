"""A cluster's folder on disk: whose data it holds, and what a broker needs there to start."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from eventstream.errors import LocalServerError
from eventstream.local import config
from eventstream.local.jars import lock
from eventstream.local.state import Broker, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MIN_FREE_BYTES = 256_000_000
_META = "meta.properties"
_CLOSED = ".kafka_cleanshutdown"
_OLDEST_READABLE = (3, 3)
_MEGABYTE = 1_000_000


def prepare(folder: Path) -> None:
    """Make the folder of a cluster.

    Raises:
        LocalServerError: It cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch()


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what keeps a file in the folder from being written into one sentence."""
    try:
        yield
    except OSError as error:
        raise LocalServerError(
            f"{error.filename or folder} cannot be written ({error.strerror}); give another --home."
        ) from None


def require_room(folder: Path, min_free_bytes: int, server: str = "Kafka") -> None:
    """Make sure the disk is not full before a server starts.

    Raises:
        LocalServerError: It nearly is.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < min_free_bytes:
        raise LocalServerError(
            f"The disk of {folder} is full: {free_bytes // _MEGABYTE} MB are free and {server}"
            f" needs {min_free_bytes // _MEGABYTE} MB to start; make room, or give another --home."
        )


def wipe(folder: Path) -> None:
    """Delete everything a cluster left in its folder but the lock others may wait for."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def recover(folder: Path) -> State | None:
    """Make out from the data alone which cluster it is; `None` where there is no data.

    For a folder whose state file is lost: the ports are given anew, the data is kept.
    """
    found = sorted(int(path.parent.parent.name) for path in folder.glob(f"[1-9]/data/{_META}"))
    if not found:
        return None
    meta = _meta(folder, found[0])
    brokers = tuple(Broker(node, 0, 0) for node in range(1, found[-1] + 1))
    return State(meta.get("cluster.id", ""), lock().kafka, brokers)


def require_usable(folder: Path, state: State, brokers: int) -> None:
    """Make sure the data is this cluster's, of as many brokers, and this Kafka can read it.

    Raises:
        LocalServerError: It is not; the sentence says what to do.
    """
    if len(state.brokers) != brokers:
        raise LocalServerError(
            f"The data in {folder} is of a cluster with {_count(len(state.brokers))}, not"
            f" {brokers}: give --brokers {len(state.brokers)}, or --fresh to wipe it."
        )
    written_by, ours = _version(state.kafka), _version(lock().kafka)
    if written_by > ours:
        raise LocalServerError(
            f"The data in {folder} was written by Kafka {state.kafka}, newer than the"
            f" {lock().kafka} here: update eventstream, or give --fresh to wipe it."
        )
    if written_by < _OLDEST_READABLE:
        raise LocalServerError(
            f"The data in {folder} was written by Kafka {state.kafka}, too old for Kafka"
            f" {lock().kafka} to read: give --fresh to wipe it."
        )
    for broker in state.brokers:
        _require_own(folder, broker.node, state.cluster_id)


def format_node(folder: Path, state: State, broker: Broker) -> None:
    """Write what a broker reads when it starts; data that is there is kept."""
    home = folder / str(broker.node)
    home.mkdir(exist_ok=True)
    nodes = [each.listeners for each in state.brokers]
    properties = config.server_properties(broker.listeners, nodes)
    (home / "server.properties").write_text(properties, encoding="ascii")
    (home / "logging.properties").write_text(config.logging_properties(), encoding="ascii")
    data = home / config.DATA
    if (data / _META).exists():
        return
    for name, content in lock().format.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    meta = config.meta_properties(state.cluster_id, broker.node, config.new_id())
    (data / _META).write_text(meta, encoding="ascii")


def is_closed(folder: Path, node: int) -> bool:
    """Whether a broker has closed its data and left Kafka's mark that it did so cleanly."""
    return (folder / str(node) / config.DATA / _CLOSED).exists()


def size_bytes(folder: Path, node: int) -> int:
    """Return the bytes one broker's data takes on disk, holes in files not counted."""
    total = 0
    for path in (folder / str(node) / config.DATA).rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def _require_own(folder: Path, node: int, cluster_id: str) -> None:
    meta = _meta(folder, node)
    where = folder / str(node) / config.DATA
    if not meta:
        return
    if meta.get("version") != "1":
        raise LocalServerError(
            f"The data in {where} was written by a Kafka with ZooKeeper, too old for Kafka"
            f" {lock().kafka} to read: give --fresh to wipe it."
        )
    if meta.get("cluster.id") != cluster_id or meta.get("node.id") != str(node):
        raise LocalServerError(
            f"The data in {where} is of another cluster ({meta.get('cluster.id')}, node"
            f" {meta.get('node.id')}) than the rest of {folder} ({cluster_id}): put the right data"
            " back, or give --fresh to wipe it all."
        )


def _meta(folder: Path, node: int) -> dict[str, str]:
    path = folder / str(node) / config.DATA / _META
    try:
        return config.parse_properties(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise LocalServerError(
            f"{path} cannot be read ({error}); give --fresh to wipe the data."
        ) from None


def _version(text: str) -> tuple[int, ...]:
    parts: Sequence[str] = text.split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _count(brokers: int) -> str:
    return "1 broker" if brokers == 1 else f"{brokers} brokers"
