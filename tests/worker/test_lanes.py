import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventstream.worker.lanes import Hold, KeyLanes, lanes_for

PARTITIONS = st.integers(0, 2)
KEYS = st.one_of(st.none(), st.sampled_from([b"a", b"b", b"c"]))


class Standing:
    """An event, as far as lanes look at it."""

    def __init__(self, partition, key, number, batch=0):
        self.partition = partition
        self.key = key
        self.number = number
        self.batch = batch
        self.behind = None

    def __repr__(self):
        return f"{self.partition}/{self.number}:{self.key}"


class LanesMachine(RuleBasedStateMachine):
    """What lanes allow, beside a model that keeps whole queues."""

    order = "key"

    def __init__(self):
        super().__init__()
        self.lanes = lanes_for(self.order)
        self.queues = {}
        self.running = []
        self.retrying = []
        self.count = 0

    def lane_of(self, event):
        if self.order == "none" or (self.order == "key" and event.key is None):
            return event
        return (event.partition, event.key if self.order == "key" else "all")

    @rule(partition=PARTITIONS, keys=st.lists(KEYS, max_size=6))
    def add(self, partition, keys):
        batch = self.count
        events = [Standing(partition, key, batch + n, batch) for n, key in enumerate(keys)]
        self.count += len(keys)
        for event in events:
            self.queues.setdefault(self.lane_of(event), []).append(event)
        self.lanes.add(partition, events)

    @precondition(lambda self: self.lanes.ready)
    @rule()
    def take(self):
        event = self.lanes.take()
        assert self.queues[self.lane_of(event)][0] is event, "only the head may run"
        assert event not in self.running, "and only once at a time"
        assert event not in self.retrying
        self.running.append(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data):
        event = data.draw(st.sampled_from(self.running))
        self.running.remove(event)
        queue = self.queues[self.lane_of(event)]
        assert queue.pop(0) is event
        if not queue:
            del self.queues[self.lane_of(event)]
        self.lanes.done(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def retry_later(self, data):
        event = data.draw(st.sampled_from(self.running))
        if isinstance(event, Hold):
            return
        self.running.remove(event)
        self.retrying.append(event)
        self.lanes.retry_later(event)

    @precondition(lambda self: self.retrying)
    @rule(data=st.data())
    def ready_again(self, data):
        event = data.draw(st.sampled_from(self.retrying))
        self.retrying.remove(event)
        self.lanes.ready_again(event)

    @precondition(lambda self: self.retrying)
    @rule(data=st.data())
    def let_go(self, data):
        event = data.draw(st.sampled_from(self.retrying))
        self.retrying.remove(event)
        queue = self.queues[self.lane_of(event)]
        assert queue.pop(0) is event
        if not queue:
            del self.queues[self.lane_of(event)]
        self.lanes.let_go(event)

    @rule(partition=PARTITIONS, key=KEYS)
    def hold(self, partition, key):
        hold = Hold(partition, key, lambda: self.running.append(hold))
        self.queues.setdefault(self.lane_of(hold), []).append(hold)
        self.lanes.hold(hold)

    @precondition(lambda self: self.running or self.retrying)
    @rule(data=st.data())
    def take_behind(self, data):
        head = data.draw(st.sampled_from(self.running + self.retrying))
        lane = self.lane_of(head)
        behind = self.queues[lane][1:]
        self.queues[lane] = [head]
        assert self.lanes.take_behind(head) == behind
        assert all(event.behind is None for event in behind)

    @rule(partition=PARTITIONS)
    def revoke(self, partition):
        waiting = [event for event in self.retrying if event.partition == partition]
        self.lanes.revoke(partition)
        for number, event in enumerate(waiting):
            assert not self.lanes.waits(event)
            (self.lanes.let_go if number % 2 else self.lanes.ready_again)(event)
        self.queues = {
            lane: queue for lane, queue in self.queues.items() if queue[0].partition != partition
        }
        self.running = [event for event in self.running if event.partition != partition]
        self.retrying = [event for event in self.retrying if event.partition != partition]

    @invariant()
    def whatever_may_run_is_ready_and_nothing_else(self):
        busy = {*self.running, *self.retrying}
        may_run = {queue[0] for queue in self.queues.values() if queue[0] not in busy}
        assert not any(isinstance(event, Hold) for event in may_run), "their turn is told"
        assert len(self.lanes.ready) == len(may_run)
        assert set(self.lanes.ready) == may_run


class PartitionLanesMachine(LanesMachine):
    order = "partition"


class NoLanesMachine(LanesMachine):
    order = "none"


TestKeyLanes = LanesMachine.TestCase
TestPartitionLanes = PartitionLanesMachine.TestCase
TestNoLanes = NoLanesMachine.TestCase


@given(st.lists(KEYS, max_size=30))
def test_nothing_is_left_of_lanes_that_are_done(keys):
    lanes = KeyLanes()
    events = [Standing(0, key, n) for n, key in enumerate(keys)]
    lanes.add(0, events)
    handled = []
    while lanes.ready:
        event = lanes.take()
        handled.append(event)
        lanes.done(event)
    assert sorted(handled, key=lambda event: event.number) == events
    assert lanes._last == {0: {}}
    assert all(event.behind is None for event in events)


@pytest.mark.parametrize("order", ["key", "partition"])
def test_a_lane_that_lags_goes_on_before_what_came_later(order):
    lanes = lanes_for(order)
    first, second, third = (Standing(0, b"hot", number) for number in range(3))
    later = Standing(1, b"cold", 3, batch=1)
    last = Standing(0, b"hot", 4, batch=2)
    lanes.add(0, [first, second, third])
    lanes.add(1, [later])
    lanes.add(0, [last])
    ran = []
    while lanes.ready:
        ran.append(lanes.take())
        lanes.done(ran[-1])
    assert ran == [first, second, third, later, last]
