"""Whatever brokers and networks do: no event twice, none out of order, none lost that was said to
be written, none there that was said not to be.

The broker is a model of Kafka's: it knows a producer's last five batches of a partition, takes the
next number only, and any number of a producer that it does not know (KIP-98, KIP-360).
"""

import math
import random
from collections import deque

import pytest

from eventstream.log.native.messages import Node
from eventstream.log.native.partition import FORGETS_S, Partition, Verdict
from eventstream.log.native.records import Identity, decode_records

HERE, THERE = Node("here", 1), Node("there", 1)
REMEMBERED = 5
STEPS = [
    ["event"] * 2, ["event"] * 7, ["close"], ["send"], ["send"] * 4, ["arrive"], ["arrive"] * 3,
    ["answer"], ["answer"] * 4, ["cut"], ["move"], ["arrive", "move"], ["forget"], ["expire"],
    ["wait"], ["refuse"], ["not_now"], ["late_no"], ["finish"],
]  # fmt: skip
SEEDS = 10_000


class Broker:
    """Kafka's log of one partition, and what it remembers of producers."""

    def __init__(self):
        self.log = []
        self.known = {}

    def take(self, identity, sequence, values):
        """Append a batch as Kafka does, and return what is answered."""
        last = self.known.get(identity)
        if last is None:
            self.known[identity] = deque(maxlen=REMEMBERED)
        elif any((sequence, len(values)) == (first, count) for first, count, _ in last):
            return Verdict.WRITTEN
        elif last and sequence != last[-1][0] + last[-1][1]:
            return Verdict.OUT_OF_ORDER
        self.known[identity].append((sequence, len(values), len(self.log)))
        self.log += values
        return Verdict.WRITTEN


class World:
    """One partition, the way to its broker and back, and everybody who waits for an event."""

    def __init__(self):
        self.partition = Partition("t", 0)
        self.broker = Broker()
        self.now_s = 0.0
        self.identities = 1
        self.events = 0
        self.told = {}
        self.to_broker = deque()
        self.answers = deque()
        self.refused = set()
        self.wont = False

    def event(self):
        number = self.events
        self.events += 1
        batch = self.partition.open
        if batch is None or batch.count == 3:
            batch = self.partition.begin(self.now_s, 0)

        def listener(error, _partition, _offset, _time):
            assert number not in self.told, "told twice"
            self.told[number] = error

        batch.add(b"%d" % number, None, (), 0, listener)

    def close(self):
        if self.partition.open is not None:
            self.partition.begin(self.now_s, 0)
            self.partition.open = None

    def send(self):
        if len(self.to_broker) + len(self.answers) < REMEMBERED and self.partition.may_send(
            HERE, self.now_s
        ):
            identity = self.partition.identity or Identity(self.identities, 0)
            if identity == self.partition.disowned:
                self.identities += 1
                identity = Identity(self.identities, 0)
            self.to_broker.append(self.partition.take(HERE, identity))

    def arrive(self):
        """The broker gets the next request, and its answer sets off."""
        if self.to_broker:
            batch = self.to_broker.popleft()
            values = [r.value for r in decode_records(b"".join(batch._parts), 0)]
            said = self.broker.take(batch.identity, batch.sequence, values)
            self.answers.append((batch, said))

    def refuse(self):
        """The broker gets the next request, and finds fault with what is in it."""
        if self.to_broker and not self.to_broker[0].may_be_written:
            self.answers.append((self.to_broker.popleft(), Verdict.REFUSED))

    def not_now(self):
        """The broker gets the next request, and has too few replicas for it."""
        if self.to_broker:
            self.answers.append((self.to_broker.popleft(), Verdict.AGAIN))

    def late_no(self):
        """The broker writes the next request, and is deposed before it may say so."""
        if self.to_broker:
            self.arrive()
            batch, said = self.answers.pop()
            changed = Verdict.UNKNOWN if said is Verdict.WRITTEN else said
            self.answers.append((batch, changed))

    def answer(self):
        if self.answers:
            self.settle(*self.answers.popleft())

    def settle(self, batch, verdict):
        for lost in self.partition.settle(batch, verdict, self.now_s):
            lost.fail(0, "unknown")
        if verdict is Verdict.WRITTEN:
            batch.acknowledge(0, 0, -1)
        elif verdict is Verdict.REFUSED:
            batch.fail(0, "not written")

    def cut(self):
        """The connection ends: requests under way are lost, or arrive and their answers are."""
        lost = [batch for batch, _ in self.answers] + list(self.to_broker)
        self.answers.clear()
        self.to_broker.clear()
        for batch in lost:
            self.settle(batch, Verdict.UNKNOWN)

    def move(self):
        """What is under way arrives, and then the connection ends."""
        while self.to_broker:
            self.arrive()
        self.cut()

    def forget(self):
        """A day passes without an event, and the broker loses what it knows of producers."""
        if self.partition.is_idle:
            self.now_s += FORGETS_S
            self.broker.known.clear()

    def expire(self):
        """Time passes, and what is old is given up."""
        self.now_s += 4
        for batch, may_be_written in self.partition.expire(self.now_s - 3):
            batch.fail(0, "unknown" if may_be_written else "not written")

    def wait(self):
        self.now_s += 1

    def finish(self):
        """Everything goes well from now on."""
        for _ in range(1000):
            if self.partition.is_idle:
                return
            self.wait()
            self.send()
            self.arrive()
            self.answer()
        raise AssertionError("something waits for ever")


@pytest.mark.parametrize("share", range(4))
def test_every_event_is_told_of_once_and_rightly(share):
    for seed in range(share, SEEDS, 4):
        chance = random.Random(seed)
        steps = [step for _ in range(40) for step in chance.choice(STEPS)]
        check(steps)


def check(steps):
    world = World()
    for step in steps:
        getattr(world, step)()
    world.finish()
    log = [int(value) for value in world.broker.log]
    written = {number for number, error in world.told.items() if error is None}
    absent = {number for number, error in world.told.items() if error == "not written"}
    assert set(world.told) == set(range(world.events)), steps
    assert len(log) == len(set(log)), f"twice in the log: {steps}"
    assert written <= set(log), f"said to be written, and is not: {steps}"
    assert not absent & set(log), f"said not to be written, and is: {steps}"
    certain = [number for number in log if number in written]
    assert certain == sorted(certain), f"out of order: {steps}"


def test_giving_all_up_leaves_nothing():
    world = World()
    for _ in range(7):
        world.event()
    world.send()
    world.move()
    for batch, may_be_written in world.partition.expire(math.inf):
        batch.fail(0, "unknown" if may_be_written else "not written")
    assert world.partition.is_idle
    assert [world.told[n] for n in range(7)] == ["unknown"] * 3 + ["not written"] * 4


def test_nothing_goes_to_a_new_leader_while_the_old_one_may_write():
    world = World()
    for _ in range(4):
        world.event()
    world.send()
    world.arrive()
    world.answer()
    for _ in range(3):
        world.event()
    world.send()
    assert world.partition.under_way
    assert not world.partition.may_send(THERE, world.now_s)
    assert world.partition.may_send(HERE, world.now_s)
    world.move()
    assert world.partition.may_send(THERE, world.now_s + 1)


def test_the_first_batch_after_a_day_goes_alone():
    world = World()
    for step in ("event", "send", "arrive", "answer", "forget", *["event"] * 6, *["send"] * 2):
        getattr(world, step)()
    assert len(world.to_broker) == 1
    world.not_now()
    world.finish()
    assert world.broker.log == [b"%d" % number for number in range(7)]
