"""Long runs of transactional handlers, a table and Redis under load and faults: every effect once.

See docs/sinks.md. The number of faults comes from FAULTS, 10 if it is not set; STOP_S says how long
a process is stopped, and SESSION_S after how long Kafka takes its partitions away.
"""

import os
import random
import signal
import time

import pytest
from load import Load
from transfers import KEEPERS, CutWire

from eventstream.settings import HomeSettings
from waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

FAULTS = int(os.environ.get("FAULTS", "10"))
STOP_S = float(os.environ.get("STOP_S", "10"))
SESSION_S = float(os.environ.get("SESSION_S", "6"))
RATE = int(os.environ.get("RATE", "2000"))
PROCESSES = 2
SOON_S = 120
OPTIONS = [
    "--kafka-option=group.protocol=classic",
    f"--kafka-option=session.timeout.ms={SESSION_S * 1000:.0f}",
    "--kafka-option=heartbeat.interval.ms=500",
]


@pytest.fixture
def topic(make_topic):
    return make_topic(8)


@pytest.fixture
def load(kafka, topic):
    load = Load(kafka, topic, RATE, keys=500)
    yield load
    load.stop()


@pytest.fixture(params=KEEPERS)
def app(request):
    return request.param


@pytest.fixture
def server(app, tmp_path):
    server = KEEPERS[app].start(HomeSettings(home=tmp_path / "database"))
    yield server
    server.discard()


class Town:
    """Workers, their database, and the load."""

    def __init__(self, app, processes, load, server, url):
        self._app = app
        self._keeper = KEEPERS[app]
        self.chance = random.Random(7)
        self.load = load
        self.server = server
        self.books = self._keeper.books(server.url)
        self._processes = processes
        self._url = url
        self.workers = [self.start() for _ in range(PROCESSES)]
        for worker in self.workers:
            worker.wait_for("worker ready", timeout_s=60)
        load.start()

    def start(self):
        return self._processes.start(
            *OPTIONS, app=f"{self._app}:app", **{self._keeper.variable: self._url}
        )

    def replace(self, worker):
        self.workers[self.workers.index(worker)] = fresh = self.start()
        fresh.wait_for("worker ready", timeout_s=60)

    def goes_on(self):
        before = self.books.rows()
        wait_until(lambda: self.books.rows() > before + RATE, SOON_S, "work goes on")

    def settle(self, what):
        events = self.load.stop()
        wait_until(lambda: self.books.rows() >= events, SOON_S, "as many are done")
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        missing, double = self.books.missing_and_double(events)
        wrong = self.books.wrong_balances()
        print(
            f"{self._app}: {FAULTS} {what}, {events:,} events: {missing} missing, {double} double,"
            f" {wrong} wrong balances"
        )
        assert (missing, double, wrong) == (0, 0, 0)


@pytest.fixture
def town(app, processes, load, server):
    return Town(app, processes, load, server, server.url)


def test_killed_workers(town):
    for _ in range(FAULTS):
        time.sleep(town.chance.random())  # a random moment
        worker = town.chance.choice(town.workers)
        worker.process.kill()
        worker.wait()
        town.replace(worker)
        town.goes_on()
    town.settle("kills")


def test_stopped_workers_that_wake_after_others_have_their_partitions(town):
    for _ in range(FAULTS):
        time.sleep(town.chance.random())
        worker = town.chance.choice(town.workers)
        worker.signal(signal.SIGSTOP)
        time.sleep(STOP_S)
        worker.signal(signal.SIGCONT)
        town.goes_on()
    town.settle(f"stops of {STOP_S:g} s")


def test_rebalances(town):
    for _ in range(FAULTS):
        time.sleep(town.chance.random())
        worker = town.chance.choice(town.workers)
        worker.signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        town.replace(worker)
        town.goes_on()
    town.settle("restarts, two rebalances each")


def test_killed_databases(town):
    for _ in range(FAULTS):
        time.sleep(town.chance.random())
        town.server.kill()
        town.server.restart()
        town.goes_on()
    town.settle("kills of the database")


def test_connections_that_are_cut_during_commit(app, processes, load, server):
    with CutWire(server.url, KEEPERS[app].is_commit) as wire:
        town = Town(app, processes, load, server, wire.url)
        for number in range(1, FAULTS + 1):
            time.sleep(town.chance.random() / 4)
            wire.cut()
            wait_until(lambda number=number: len(wire.cuts) == number, SOON_S, "it is cut")
        town.goes_on()
        town.settle(f"cuts during COMMIT ({wire.cuts.count('after')} of which committed)")
