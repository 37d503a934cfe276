"""The worker."""

from __future__ import annotations

from dataclasses import dataclass

from eventstream.settings.options import Checked, option


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(Checked):
    """The processes that run handlers."""

    group: str = option("eventstream", "The consumer group; processes of one group share topics.")
    processes: int = option(1, "Worker processes on this machine.", minimum=1, maximum=256)
    reload: bool = option(
        False, "For development: restart when a file of the app changes; see docs/workers.md."
    )
    instance_id: str | None = option(
        None,
        "A name in the group that no other machine has: process n is its static member NAME-n, and"
        " keeps its partitions over a restart.",
    )
    from_beginning: bool = option(
        True,
        "Where a group without a position starts: at the oldest event, or at the newest.",
    )
    max_in_flight: int = option(
        50_000,
        "Events a process has taken and whose end is not on record; at the bound it reads no more.",
        minimum=1,
    )
    max_in_flight_bytes: int = option(
        128_000_000, "Bytes of those events; at the bound it reads no more.", minimum=1024
    )
    commit_interval_s: float = option(
        0.1, "The longest a finished event waits to be committed, in seconds.", minimum=0.001
    )
    drain_timeout_s: float = option(
        30.0,
        "How long a stop, or a partition moving away, waits for running handlers, in seconds.",
        minimum=0,
    )
    blocked_after_s: float = option(
        1.0,
        "How long a handler may block the event loop before a warning says where it stands, in"
        " seconds.",
        minimum=0.05,
    )
    metrics_port: int | None = option(
        None,
        "Port of a /metrics of the worker's own, where no gateway on this machine serves it;"
        " 0 takes a free one.",
        minimum=0,
        maximum=65535,
    )
