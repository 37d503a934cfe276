import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventstream.local import state
from waiting import wait_until

pytestmark = pytest.mark.kafka

PROGRAM = Path(sys.executable).with_name("eventstream")


@pytest.fixture
def broker(run, home, local_kafka):
    """Run `eventstream broker ...` in the test's home; give what it wrote, or its refusal."""
    del local_kafka  # kills what is left at the end
    folders = {"EVENTSTREAM_HOME": str(home.home), "EVENTSTREAM_CACHE": str(home.cache)}

    def broker(*arguments, refused=False):
        answer = run("broker", *arguments, **folders)
        assert answer.returncode == (1 if refused else 0), answer
        if refused:
            assert answer.stdout == ""
            assert answer.stderr.count("\n") == 1
            return answer.stderr
        return answer.stdout

    return broker


def test_a_day_with_the_broker(broker):
    assert "There is no Kafka in " in broker("status")
    assert broker("status", "--json") == "[]\n"
    assert "No Kafka is running in " in broker("stop")
    assert "There is no Kafka in " in broker("kill", refused=True)

    started = json.loads(broker("start", "--broker-port", "0", "--json"))
    assert started["started"] is True
    assert "is running already at " + started["bootstrap_servers"] in broker("start")

    (status,) = json.loads(broker("status", "--json"))
    assert status["state"] == "running"
    assert started["bootstrap_servers"] == f"127.0.0.1:{status['port']}"
    assert broker("pause", "1") == "Broker 1 paused.\n"
    assert "paused" in broker("status")
    assert broker("resume") == "Broker 1 resumed.\n"
    assert "There is no broker 7 here" in broker("kill", "7", refused=True)
    assert broker("kill") == "Broker 1 killed.\n"
    assert broker("kill") == "Nothing to be killed.\n"
    assert "dead" in broker("status")

    assert broker("start", "--broker-port", "0").startswith("Kafka is ready at 127.0.0.1:")
    assert broker("stop") == "Kafka has stopped.\n"


def test_a_refusal_is_one_sentence(broker, home):
    home.home.write_text("a file where a folder should be")
    assert "cannot be written (Not a directory)" in broker("start", refused=True)


def test_a_command_killed_while_it_starts_a_broker_leaves_none(home):
    starting = subprocess.Popen(
        [PROGRAM, "broker", "start", "--broker-port", "0"],
        env={"EVENTSTREAM_HOME": str(home.home), "EVENTSTREAM_CACHE": str(home.cache)},
        stdout=subprocess.DEVNULL,
    )
    folder = home.home / "kafka"
    found = wait_until(lambda: state.read(folder), 30, "a broker is being started")
    (broker,) = found.brokers
    assert broker.is_running
    starting.send_signal(signal.SIGKILL)
    assert starting.wait() == -signal.SIGKILL
    wait_until(lambda: not broker.is_running, 15, "the broker is gone")
