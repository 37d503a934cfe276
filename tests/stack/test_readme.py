"""What the README tells a newcomer to do, done."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from program import PROGRAM
from waiting import wait_until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
]
CURL = next(command for command in COMMANDS if command.startswith("curl"))
HANDLER = next(text for language, text in BLOCKS if language == "python")


@pytest.fixture
def environment(tmp_path):
    return {
        **os.environ,
        "EVENTSTREAM_HOME": str(tmp_path / "home"),
        "EVENTSTREAM_BROKER_PORT": "0",
        "EVENTSTREAM_PORT": str(free_port()),
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_every_command_of_the_readme_is_tried_here():
    assert COMMANDS[:3] == ["make up", "make test", CURL]
    assert COMMANDS[3:] == ["eventstream worker shop:app --processes 2"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_two_minutes_of_a_newcomer(environment, tmp_path):
    output = tmp_path / "output"
    with (
        output.open("wb") as log,
        subprocess.Popen(
            ["make", "up"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as up,
    ):
        wait_until(lambda: "Ready" in output.read_text() or up.poll() is not None, 90, "ready")
        assert up.poll() is None, output.read_text()
        curl = CURL.replace("8080", environment["EVENTSTREAM_PORT"])
        answer = json.loads(subprocess.check_output(shlex.split(f"{curl} --silent")))
        assert answer["topic"] == "events"
        printed = f"events/{answer['partition']}/{answer['offset']}"
        wait_until(lambda: printed in output.read_text(), 30, "the worker prints the event")
        assert '{"message": "Hello, Kafka!"}' in output.read_text()
        os.killpg(up.pid, signal.SIGINT)
        up.wait(60)
    assert "Stopping Kafka" in output.read_text()


def test_the_handler_of_the_readme_runs(environment, kafka, make_topic, tmp_path):
    topic = make_topic()
    (tmp_path / "shop.py").write_text(HANDLER.replace('"events"', f'"{topic}"'))
    output = tmp_path / "output"
    command = [PROGRAM, *shlex.split(COMMANDS[3])[1:]]
    with (
        output.open("wb") as log,
        subprocess.Popen(
            [*command, f"--bootstrap-servers={kafka.bootstrap_servers}"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
        ) as worker,
    ):
        wait_until(lambda: "worker ready" in output.read_text(), 60, "the worker is ready")
        subprocess.run(
            [PROGRAM, "publish", topic, "-", f"--bootstrap-servers={kafka.bootstrap_servers}"],
            input=b'{"order": 7}\n',
            check=True,
            capture_output=True,
        )
        wait_until(lambda: "None {'order': 7}" in output.read_text(), 30, "the event is handled")
        worker.terminate()
        assert worker.wait(60) == 0
