"""This machine: logs, folders, and the servers that are started here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from eventstream.settings.options import Checked, option


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings(Checked):
    """What is written to standard error."""

    log_level: str = option(
        "info",
        "The least severe line that is written.",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = option(
        "auto",
        "`console` for people, `json` for machines: one object a line; `auto` chooses by whether"
        " standard error is a terminal.",
        choices=("auto", "console", "json"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings(Checked):
    """Where local servers and their caches live."""

    home: Path = option(
        lambda: platformdirs.user_data_path("eventstream"),
        "Folder of local servers' data, logs and process files.",
    )
    cache: Path = option(
        lambda: platformdirs.user_cache_path("eventstream"),
        "Folder of downloaded jars and the JVM's start-up cache.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings(Checked):
    """The databases that handlers write to."""

    postgres_dsn: str | None = option(
        None,
        "How to reach PostgreSQL: postgresql://user:password@host:port/database. Where it is not"
        " given, `eventstream up --with postgres` starts one and gives it to gateway and worker.",
        secret=True,
    )
    redis_url: str | None = option(
        None,
        "How to reach Redis or Valkey: redis://user:password@host:port/0. Where it is not given,"
        " `eventstream up --with redis` starts a Valkey; likewise.",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(Checked):
    """The local Kafka."""

    brokers: int = option(1, "Brokers in the local cluster.", minimum=1, maximum=9)
    broker_port: int = option(
        9092,
        "Port of the first broker; the next ones follow it. 0 takes free ones.",
        minimum=0,
        maximum=65535,
    )
    fresh: bool = option(False, "Wipe the data of the local cluster first.")
