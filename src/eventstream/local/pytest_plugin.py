"""Fixtures that give a test a real Kafka, a real PostgreSQL and a real Valkey.

`kafka` is one broker, `kafka_cluster` three, `postgres` and `valkey` a server each; each is started
when a test first asks for it and shared by the whole session: all workers of pytest-xdist use the
same one. They end with the session, however it ends. `topic`, `make_topic` and `postgres_database`
keep tests out of each other's way; `own_valkey` is one test's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Protocol, TypeVar

    from eventstream.local.database import RunningDatabase
    from eventstream.local.kafka import LocalKafka
    from eventstream.local.postgres import RunningPostgres
    from eventstream.local.valkey import RunningValkey

    Running = TypeVar("Running", bound=RunningDatabase)

    class MakeTopic(Protocol):
        """Creates a topic of its own for a test and returns its name."""

        def __call__(
            self,
            partitions: int = 1,
            config: Mapping[str, str] | None = None,
            *,
            name: str | None = None,
        ) -> str:
            """Create it with so many partitions, these settings of Kafka's, and this name."""


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """Give a running Kafka of one broker; `kafka.bootstrap_servers` is its address."""
    with _shared(tmp_path_factory, brokers=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """Give a running Kafka of three brokers, three replicas and two in-sync replicas at least."""
    with _shared(tmp_path_factory, brokers=3) as cluster:
        yield cluster


@pytest.fixture
def make_topic(kafka: LocalKafka, request: pytest.FixtureRequest) -> MakeTopic:
    """Give a function that creates a new topic on `kafka` and returns its name."""
    from eventstream.log.admin import Admin
    from eventstream.settings import KafkaSettings

    admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
    test = re.sub(r"[^a-zA-Z0-9._-]+", "-", request.node.name)[:60].strip("-")

    def make(
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
    ) -> str:
        name = name or f"{test}-{uuid.uuid4().hex[:8]}"
        admin.create_topic(name, partitions, config=config)
        return name

    return make


@pytest.fixture
def topic(make_topic: MakeTopic) -> str:
    """Give the name of a new, empty topic with one partition on `kafka`."""
    return make_topic()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    """Give a running PostgreSQL; `postgres.dsn` is how its superuser reaches it."""
    from eventstream.local.postgres import start_postgres

    with _shared_database(tmp_path_factory, "postgres", start_postgres) as running:
        yield running


@pytest.fixture
def postgres_database(postgres: RunningPostgres) -> Iterator[str]:
    """Give the DSN of a new, empty database on `postgres`, deleted after the test."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.dsn.rpartition("/")[0] + "/" + name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningValkey]:
    """Give a running Valkey; `valkey.url` is how clients reach it.

    Its keys and function libraries are every test's: use names of your own, or `own_valkey`.
    """
    from eventstream.local.valkey import start_valkey

    with _shared_database(tmp_path_factory, "valkey", start_valkey) as running:
        yield running


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningValkey]:
    """Give an empty Valkey of the test's own, to `kill` and to `restart`; deleted after it."""
    from eventstream.local.valkey import start_valkey
    from eventstream.settings import HomeSettings

    running = start_valkey(HomeSettings(home=tmp_path_factory.mktemp("own-valkey")))
    yield running
    running.discard()


@contextlib.contextmanager
def _shared_database(
    tmp_path_factory: pytest.TempPathFactory, name: str, start: Callable[..., Running]
) -> Iterator[Running]:
    """Share one database server among all who enter; the last to leave deletes it."""
    from eventstream.settings import HomeSettings

    folder = _folder(tmp_path_factory, name)
    with _use(folder) as users:
        running = start(HomeSettings(home=folder), owner_pid=_owner())
        users.append(_me())
    try:
        yield running
    finally:
        with _use(folder) as users:
            users.remove(_me())
            if not users:
                running.discard()


@contextlib.contextmanager
def _shared(tmp_path_factory: pytest.TempPathFactory, brokers: int) -> Iterator[LocalKafka]:
    """Share one cluster among all who enter; the last to leave stops it."""
    from eventstream.local.kafka import LocalKafka
    from eventstream.settings import (
        BrokerSettings,
        HomeSettings,
        from_environment,
    )

    folder = _folder(tmp_path_factory, f"kafka-{brokers}")
    cluster = LocalKafka(
        from_environment(HomeSettings, os.environ, home=folder),
        BrokerSettings(brokers=brokers, broker_port=0),
        owner_pid=_owner(),
    )
    with _use(folder) as users:
        cluster.start()
        users.append(_me())
    try:
        yield cluster
    finally:
        with _use(folder) as users:
            users.remove(_me())
            if not users:
                cluster.stop()


def _folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """Make the folder of a server that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if _worker() else base) / name
    folder.mkdir(exist_ok=True)
    return folder


def _worker() -> str | None:
    return os.environ.get("PYTEST_XDIST_WORKER")


def _me() -> str:
    return f"{_worker()}-{os.getpid()}"


def _owner() -> int | None:
    """Return whom a shared server ends with: the controller, which outlives its workers."""
    return os.getppid() if _worker() else None


@contextlib.contextmanager
def _use(folder: Path) -> Iterator[list[str]]:
    """Hold the list of those who use a shared server, written back at the end."""
    with (folder / "users.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = json.loads(file.read() or "[]")
        yield users
        file.truncate(0)
        file.write(json.dumps(users))
