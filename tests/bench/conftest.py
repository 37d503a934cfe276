"""The gateway in Go, built once, and running."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventstream.bench.gateway import RunningGateway
from eventstream.bench.go_peer import NO_GO, built_peer, find_go, go_gateway
from eventstream.local.progress import Silent
from eventstream.settings import HomeSettings, KafkaSettings, from_environment


@dataclass
class GoGateway:
    running: RunningGateway
    api_key: str

    @property
    def address(self):
        return ("127.0.0.1", self.running.port)


@pytest.fixture(scope="session")
def go():
    command = find_go()
    if command is None:
        pytest.skip(NO_GO)
    return command


@pytest.fixture(scope="session")
def go_sources():
    return Path(__file__).parents[2] / "bench" / "peers" / "go"


@pytest.fixture(scope="session")
def go_program(go, go_sources):
    return built_peer(go, from_environment(HomeSettings, os.environ), go_sources, Silent())


@pytest.fixture(scope="session")
def go_peer(go_program, kafka, tmp_path_factory):
    """The gateway in Go before the session's Kafka, with one API key."""
    api_key = "a key of the tests"
    digests = tmp_path_factory.mktemp("go") / "digests"
    digests.write_text(hashlib.sha256(api_key.encode()).hexdigest() + "\n")
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    with go_gateway(go_program, settings, f"-keys={digests}") as running:
        yield GoGateway(running, api_key)
