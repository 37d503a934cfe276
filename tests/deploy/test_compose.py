"""The compose file cannot be run everywhere; what it names can be checked everywhere."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from eventstream import settings
from eventstream.cli.main import app

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
BROKERS = ("kafka-1", "kafka-2", "kafka-3")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_every_setting_it_names_exists(services):
    known = {option.variable for group in settings.GROUPS for option in settings.options_of(group)}
    named = {
        name
        for service in services.values()
        for name in service.get("environment", {})
        if name.startswith(settings.ENV_PREFIX)
    }
    dockerfile = (COMPOSE.parent / "Dockerfile").read_text()
    named |= set(re.findall(rf"{settings.ENV_PREFIX}[A-Z_]+", dockerfile))
    assert named
    assert named <= known


def test_every_value_it_gives_is_accepted(services):
    for name in ("gateway", "worker"):
        environment = {key: str(value) for key, value in services[name]["environment"].items()}
        for group in settings.GROUPS:
            settings.from_environment(group, environment)


def test_every_command_it_runs_exists(services):
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert {services["gateway"]["command"][0], services["worker"]["command"][0]} <= commands


def test_internal_topics_have_three_replicas(services):
    for broker in BROKERS:
        environment = services[broker]["environment"]
        factors = [value for name, value in environment.items() if "REPLICATION_FACTOR" in name]
        assert len(factors) == 4
        assert set(factors) == {3}


def test_every_broker_is_a_voter_and_keeps_its_data(services):
    voters = services["kafka-1"]["environment"]["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
    assert voters == [f"{n}@{name}:9093" for n, name in enumerate(BROKERS, 1)]
    for n, broker in enumerate(BROKERS, 1):
        assert services[broker]["environment"]["KAFKA_NODE_ID"] == n
        assert services[broker]["volumes"] == [f"{broker}:/var/lib/kafka/data"]


def test_every_file_it_mounts_exists(services):
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).exists(), source


def test_images_are_pinned(services):
    for service in services.values():
        if service["image"] != "eventstream":
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]


def test_the_image_builds_with_the_backend_that_is_locked():
    locked = re.search(
        r"^hatchling==(\S+)", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE
    )
    assert f"hatchling=={locked[1]}" in (COMPOSE.parent / "Dockerfile").read_text()


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not here")
def test_docker_compose_accepts_it():
    command = ["docker-compose", "-f", str(COMPOSE), "config", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
