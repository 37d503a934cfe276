"""What every part's tests share."""

import os
import signal
import subprocess

import pytest

from eventstream.local import jars, training
from eventstream.local.kafka import LocalKafka
from eventstream.settings import BrokerSettings, HomeSettings, from_environment
from program import PROGRAM

# In the background of a shell, or under nohup, programs inherit that these are ignored.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def run(tmp_path):
    """Run `eventstream` as a user does, with a home of its own, and return what came of it."""

    def run(*arguments, stdin=b"", timeout_s=60, **environment):
        return subprocess.run(
            [PROGRAM, *arguments],
            input=stdin.decode() if isinstance(stdin, bytes) else stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(tmp_path),
                "EVENTSTREAM_HOME": str(tmp_path / "home"),
                **environment,
            },
        )

    return run


@pytest.fixture(scope="session")
def cache():
    """The user's own cache, filled and trained once: these tests start some thirty brokers."""
    home = from_environment(HomeSettings, os.environ)
    jars.classpath("broker", home.cache)
    training.train(home)
    return home.cache


@pytest.fixture
def home(tmp_path, cache):
    """A home of the test's own, under a name that upsets careless programs."""
    return HomeSettings(home=tmp_path / "a home, with späces", cache=cache)


@pytest.fixture
def local_kafka(home):
    """Make a `LocalKafka` in the test's home; what still runs at the end is killed."""

    def make(brokers=1, *, fresh=False, broker_port=0, **further):
        settings = BrokerSettings(brokers=brokers, broker_port=broker_port, fresh=fresh)
        return LocalKafka(home, settings, **further)

    yield make
    left = LocalKafka(home)
    if left.is_running:
        left.kill()
