"""What a server says of itself, and what that means for a sink; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eventstream.sinks.contract import SinkRefused, SinkUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIRST_WITH_FUNCTIONS = 7
PERSISTENCE = (b"appendonly", b"appendfsync", b"save", b"maxmemory", b"maxmemory-policy")
"""The settings that `risks` looks at."""


class Server(NamedTuple):
    """A server.

    Attributes:
        name: What it is, with its version.
        run_id: What changes when it is started again or another one takes its place.
        is_cluster: Whether it is a node of a cluster.
    """

    name: str
    run_id: str
    is_cluster: bool


def read(info: bytes) -> Server:
    """Read the answer to INFO.

    Raises:
        SinkRefused: The server has no functions.
        SinkUnavailable: It takes no writes, being another's copy.
    """
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    facts = {name: value for name, colon, value in lines if colon}
    is_valkey = facts.get("server_name") == "valkey"
    version = facts.get("valkey_version" if is_valkey else "redis_version", "")
    name = f"{'Valkey' if is_valkey else 'Redis'} {version}".strip()
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < _FIRST_WITH_FUNCTIONS:
        raise SinkRefused(
            f"The server is {name}, which has no functions, and so cannot keep effects and position"
            " together; use Redis 7 or newer, or Valkey."
        )
    is_cluster = facts.get("cluster_enabled") == "1"
    if facts.get("role") == "slave" and not is_cluster:  # there it says itself where to go
        raise SinkUnavailable(f"{name} is a replica, which takes no writes.")
    return Server(name, facts.get("run_id", ""), is_cluster)


def risks(settings: Mapping[str, str]) -> Sequence[str]:
    """Say what a server may lose, in sentences.

    Args:
        settings: Those in `PERSISTENCE`.
    """
    found = []
    if settings.get("appendonly") != "yes":
        since = "what came after its last snapshot" if settings.get("save") else "all it has"
        found.append(
            f"appendonly is off: a server that ends, in whatever way, may lose {since}; events are"
            " then written again from the position that is left with it."
        )
    elif settings.get("appendfsync") != "always":
        lost = "the last second" if settings.get("appendfsync") == "everysec" else "some seconds"
        found.append(
            f"appendfsync is {settings.get('appendfsync')}: a machine that ends may lose {lost} of"
            " writes; their events are then written again, if Kafka still has them."
        )
    policy = settings.get("maxmemory-policy", "noeviction")
    if settings.get("maxmemory", "0") != "0" and policy.startswith("allkeys"):
        found.append(
            f"maxmemory-policy is {policy}: a full server may evict a partition's position, whose"
            " events are then written twice; set noeviction, or volatile-ttl."
        )
    return found
