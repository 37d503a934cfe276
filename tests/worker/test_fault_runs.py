"""Long runs under load and faults: what is lost, repeated and out of order. See docs/workers.md.

The number of faults comes from FAULTS, 20 if it is not set.
"""

import os
import random
import signal
from collections import Counter

import psutil
import pytest
from load import Load

from waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

FAULTS = int(os.environ.get("FAULTS", "20"))
RATE = 5000
KEYS = 500
PROCESSES = 4
MOST_IN_FLIGHT = 2000
RESTART_S = 120
CATCH_UP_S = 120


@pytest.fixture
def topic(make_topic):
    return make_topic(8)


@pytest.fixture
def load(kafka, topic):
    load = Load(kafka, topic, RATE, KEYS)
    yield load
    load.stop()


@pytest.fixture
def worker(processes, load):
    worker = processes.start(
        f"--processes={PROCESSES}", f"--max-in-flight={MOST_IN_FLIGHT}", HANDLER_PAUSE_S="0"
    )
    worker.wait_for("worker ready", PROCESSES, timeout_s=60)
    load.start()
    return worker


def caught_up(processes, load):
    """Stop the load and wait until every event was handled; return how often each was."""
    count = load.stop()
    wait_until(lambda: processes.journal.lines() >= 2 * count, CATCH_UP_S, "as many are handled")
    wait_until(lambda: len(processes.journal.ended()) == count, CATCH_UP_S, "all are handled")
    return processes.journal.ended()


def test_rolling_restarts_lose_repeat_and_reorder_nothing(processes, load, worker):
    for number in range(1, FAULTS + 1):
        worker.signal(signal.SIGHUP)
        worker.wait_for("all processes are restarted", number, timeout_s=RESTART_S)
    handled = caught_up(processes, load)
    repeats = Counter(handled.values())
    print(f"{FAULTS} rolling restarts, {len(handled):,} events, times handled: {dict(repeats)}")
    assert set(repeats) == {1}
    processes.journal.assert_order()
    worker.signal(signal.SIGTERM)
    assert worker.wait(60) == 0


def test_kills_lose_nothing_and_repeat_no_more_than_was_in_flight(processes, load, worker):
    chance = random.Random(4)
    for number in range(1, FAULTS + 1):
        before = processes.journal.lines()
        psutil.Process(chance.choice(worker.children())).kill()
        worker.wait_for("worker ready", PROCESSES + number, timeout_s=RESTART_S)
        wait_until(
            lambda before=before: processes.journal.lines() > before + RATE,
            RESTART_S,
            "work goes on",
        )
    handled = caught_up(processes, load)
    repeats = sum(handled.values()) - len(handled)
    print(f"{FAULTS} kills, {len(handled):,} events, {repeats:,} repeated")
    assert repeats <= FAULTS * MOST_IN_FLIGHT
    processes.journal.assert_effects_in_order()
    worker.signal(signal.SIGTERM)
    assert worker.wait(60) == 0
