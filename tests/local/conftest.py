import os

import pytest

from eventstream.local import jars, training
from eventstream.local.kafka import LocalKafka
from eventstream.settings import BrokerSettings, HomeSettings, from_environment


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
