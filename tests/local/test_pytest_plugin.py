import json
import os
import subprocess
import sys

import psutil
import pytest

from eventstream.local import state
from waiting import wait_until

pytestmark = pytest.mark.kafka

TESTS = """
import pathlib
import pytest

@pytest.mark.parametrize("number", range(4))
def test_with_kafka(kafka, make_topic, number):
    name = make_topic(partitions=2)
    folder = pathlib.Path(__file__).parent
    (folder / f"seen-{number}").write_text(f"{kafka.bootstrap_servers} {name} {kafka.folder}")
"""
WITH_VALKEY = """
import pathlib
import pytest
import redis

@pytest.mark.parametrize("number", range(4))
def test_with_valkey(valkey, number):
    with redis.Redis.from_url(valkey.url) as client:
        client.incr("tests")
    (pathlib.Path(__file__).parent / f"seen-{number}").write_text(f"{valkey.pid} {valkey.log}")
"""
WAITING = """
import pathlib, signal

def test_that_never_ends(kafka):
    pathlib.Path(__file__).with_name("folder").write_text(str(kafka.folder))
    signal.pause()
"""


def pytest_command(folder, *arguments):
    # A coverage or xdist run around this one must not reach into it.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    base = ["--basetemp", str(folder / "base"), "--rootdir", str(folder)]
    return {"args": [*command, *base, *arguments], "cwd": folder, "env": environment}


def test_workers_share_one_broker_and_it_ends_with_them(tmp_path):
    (tmp_path / "test_them.py").write_text(TESTS)
    answer = subprocess.run(
        **pytest_command(tmp_path, "-n", "2"), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "4 passed" in answer.stdout
    seen = [path.read_text().split(" ", 2) for path in tmp_path.glob("seen-*")]
    addresses, topics, folders = (set(each) for each in zip(*seen, strict=True))
    assert len(addresses) == 1
    assert len(topics) == 4
    (folder,) = folders
    broker = json.loads((tmp_path / folder / state.STATE_NAME).read_text())["brokers"][0]
    assert not psutil.pid_exists(broker["process"]["pid"])


def test_workers_share_one_valkey_and_it_ends_with_them(tmp_path):
    (tmp_path / "test_them.py").write_text(WITH_VALKEY)
    answer = subprocess.run(
        **pytest_command(tmp_path, "-n", "2"), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (seen,) = {path.read_text() for path in tmp_path.glob("seen-*")}
    pid, log = seen.split(" ", 1)
    assert not psutil.pid_exists(int(pid))
    assert not (tmp_path / log).with_name("state.json").exists()


def test_a_killed_test_run_leaves_no_broker(tmp_path):
    (tmp_path / "test_waiting.py").write_text(WAITING)
    running = subprocess.Popen(**pytest_command(tmp_path), stdout=subprocess.DEVNULL)
    told = wait_until(
        lambda: (tmp_path / "folder").exists() and (tmp_path / "folder").read_text(),
        30,
        "the broker runs",
    )
    (broker,) = state.read(tmp_path / told).brokers
    assert broker.is_running
    running.kill()
    running.wait()
    wait_until(lambda: not broker.is_running, 15, "the broker is gone")


def test_the_plugin_costs_other_projects_nothing():
    heavy = "{'confluent_kafka', 'psutil', 'jgo', 'requests', 'rich', 'typer', 'structlog'}"
    code = f"import sys, eventstream.local.pytest_plugin; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"
