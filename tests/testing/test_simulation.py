"""The worker under a thousand seeds, and the simulator under bugs that were put in on purpose."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from eventstream import App, Context, Event, Retry
from eventstream.log.listener import Position
from eventstream.testing import Faults, SimulationFailed, keyed_events, simulate
from eventstream.worker import progress, runner
from eventstream.worker.lanes import KeyLanes, NoLanes
from eventstream.worker.parking import Parking

SEEDS = 1000
CHUNK = 50
FEW = Retry(attempts=3)


class Order(msgspec.Struct):
    number: int


def app_of(seed):
    """An app of each kind in turn."""
    app = App()
    on_failure = ("deadletter", "park", "stop")[seed % 3]
    kind = ("async", "plain", "batch", "partition", "none", "returning")[seed // 3 % 6]
    if on_failure == "park" and kind in {"partition", "none"}:
        kind = "async"
    order = kind if kind in {"partition", "none"} else "key"
    if kind == "batch":

        @app.batch("orders", size=10, within_s=0.1, retry=FEW, on_failure=on_failure)
        async def handle_batch(orders: list[Order], events: list[Event]):
            await asyncio.sleep(0.01)
            numbers = [event.json()["number"] for event in events]
            assert [order.number for order in orders] == numbers

    elif kind == "plain":

        @app.on("orders", retry=FEW, on_failure=on_failure)
        def handle_plainly(order: Order):
            assert order.number >= 0

    else:

        @app.on(
            "orders",
            order=order,
            retry=FEW,
            on_failure=on_failure,
            timeout_s=20,
            adaptive=bool(seed % 2),
        )
        async def handle(order: Order, event: Event):
            assert order.number >= 0
            return Event("shipped", event.value, event.key) if kind == "returning" else None

    return app


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_a_thousand_seeds_lose_repeat_and_reorder_nothing(first):
    for seed in range(first, first + CHUNK):
        outcome = simulate(app_of(seed), keyed_events("orders", 120), seed=seed)
        assert outcome.attempts >= outcome.events - outcome.faults.expired * outcome.events


def unordered(self, partition, events):
    NoLanes.add(self, partition, events)


def commits_too_much(self):
    commit = COMMIT(self)
    if commit is None or commit.position.metadata:
        return commit
    return commit._replace(position=Position(self.received))


def forgets_what_is_beyond(_self, _offset):
    return []


async def gives_up_without_a_word(self, partitions):
    await GIVE_UP(self, partitions)
    return {}


def parks_nothing(_self, _event):
    pass


def settles_before_the_letter(self, event, *_):
    self._settled(event)


COMMIT = progress.Progress.commit
GIVE_UP = runner.Worker.give_up
BUGS = {
    "overtook|beside": (KeyLanes, "add", unordered),
    "overtook|lost|nobody had died|on record": (progress.Progress, "commit", commits_too_much),
    "nobody had died|though the group": (
        progress.Progress,
        "_finished_beyond",
        forgets_what_is_beyond,
    ),
    "nobody had died": (runner.Worker, "give_up", gives_up_without_a_word),
    "overtook .* parked": (Parking, "park_behind", parks_nothing),
    "lost|overtook": (Parking, "give_up", settles_before_the_letter),
}


@pytest.mark.parametrize("found", BUGS)
def test_a_bug_is_found_and_its_seed_finds_it_again(monkeypatch, found):
    where, name, bug = BUGS[found]
    monkeypatch.setattr(where, name, bug)

    def look_for_it():
        for seed in range(1, 200, 3):  # of those that park
            simulate(app_of(seed), keyed_events("orders", 120), seed=seed)

    with pytest.raises(SimulationFailed, match=found) as first:
        look_for_it()
    with pytest.raises(SimulationFailed) as second:
        look_for_it()
    assert str(first.value).split("The log's end")[0] == str(second.value).split("The log's end")[0]


def test_a_seed_does_the_same_in_another_process():
    program = (
        "from test_simulation import *\n"
        "events = keyed_events('orders', 90)\n"
        "for seed in (1, 4, 8, 13): print(simulate(app_of(seed), events, seed=seed))"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2", "3")
    }
    assert len(outcomes) == 1


def test_without_faults_every_event_is_handled_once():
    seen = []
    app = App()

    @app.on("orders")
    async def handle(event: Event):
        await asyncio.sleep(0.1)
        seen.append((event.partition, event.offset))

    outcome = simulate(app, keyed_events("orders", 50), seed=7, faults=Faults(restarts=3, joins=2))
    assert len(seen) == len(set(seen)) == outcome.attempts == 50
    assert (outcome.repeats, outcome.letters) == (0, 0)
    assert outcome.lasted_s > 30


def test_a_handler_that_never_ends_is_told_and_does_not_hang_the_test():
    app = App()

    @app.on("orders")
    async def handle(_event: Event):
        await asyncio.Event().wait()

    with pytest.raises(SimulationFailed, match=r"Seed 3: not everything is handled, after an hour"):
        simulate(app, keyed_events("orders", 3), seed=3, faults=Faults())


def test_a_handler_is_told_its_attempt_and_that_a_letter_is_handled_again():
    told = []
    app = App()

    @app.on("orders", retry=FEW)
    def handle(context: Context, _event: Event):
        told.append((context.attempt, context.is_replay, context.group))
        if not context.is_replay:
            raise ValueError("not now")
        assert context.attempt > 1, "the first attempt of a replay fails too"

    simulate(app, keyed_events("orders", 1), seed=1, faults=Faults())
    assert told == [
        (1, False, "simulated"),
        (2, False, "simulated"),
        (3, False, "simulated"),
        (1, True, "simulated"),
        (2, True, "simulated"),
    ]
