import random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventstream.log.listener import NOWHERE, Position
from eventstream.log.received import Received, Run
from eventstream.worker.beyond import MOST_BYTES
from eventstream.worker.progress import Progress

GAPS = st.lists(st.integers(1, 4), min_size=1, max_size=6)


def run_of(offsets, size_of=lambda _: 1):
    unfinished = {offset: size_of(offset) for offset in offsets}
    events = [
        Received("orders", None, partition=0, offset=offset, finish=unfinished.pop)
        for offset in offsets
    ]
    return Run("orders", 0, events, unfinished, sum(unfinished.values()))


class ProgressMachine(RuleBasedStateMachine):
    """Owners of a partition one after the other, beside a model that keeps every offset.

    An owner that leaves, or dies, hands on what is committed, and nothing else.
    """

    def __init__(self):
        super().__init__()
        self.log = []
        self.on_record = set()
        self.commit_made = NOWHERE
        self.begin()

    def begin(self):
        self.progress = Progress(self.commit_made)
        self.next = self.commit_made.offset
        self.received = set()
        self.events = {}
        self.finished = set()
        self.released = [0, 0]

    def size(self, offset):
        return offset % 7

    @rule(gaps=GAPS)
    def publish(self, gaps):
        for gap in gaps:
            self.log.append((self.log[-1] if self.log else 0) + gap)

    @precondition(lambda self: any(offset >= self.next for offset in self.log))
    @rule(most=st.integers(1, 9))
    def receive(self, most):
        offsets = [offset for offset in self.log if offset >= self.next][:most]
        assert not self.progress.is_behind(offsets[0])
        fresh = self.progress.receive(run_of(offsets, self.size))
        expected = [offset for offset in offsets if offset not in self.on_record]
        assert [event.offset for event in fresh.events] == expected
        assert fresh.unfinished == {offset: self.size(offset) for offset in expected}
        assert fresh.size == sum(map(self.size, expected))
        self.events.update((event.offset, event) for event in fresh.events)
        self.received.update(expected)
        self.next = offsets[-1] + 1

    @precondition(lambda self: self.received - self.finished)
    @rule(data=st.data())
    def finish(self, data):
        offset = data.draw(st.sampled_from(sorted(self.received - self.finished)))
        self.finished.add(offset)
        self.events[offset].finish(offset)

    def note(self, released):
        self.released = [sum(both) for both in zip(self.released, released, strict=True)]

    @rule()
    def commit(self):
        commit = self.progress.commit()
        if commit is not None:
            self.note(self.progress.settle(commit))
            self.commit_made = commit.position
            self.on_record |= self.finished
        assert self.progress.commit() is None
        assert self.released == [len(self.finished), sum(map(self.size, self.finished))]

    @rule()
    def hand_on(self):
        self.note(self.progress.give_up())
        assert self.released == [len(self.received), sum(map(self.size, self.received))]
        self.begin()

    @invariant()
    def all_before_the_position_is_finished(self):
        commit = self.progress.commit()
        if commit is not None:
            unfinished = {offset for offset in self.log if offset not in self.on_record}
            unfinished -= self.finished
            assert all(offset >= commit.position.offset for offset in unfinished)
        assert self.progress.unfinished == len(self.received - self.finished)


TestProgress = ProgressMachine.TestCase


def test_an_offset_is_done_once():
    progress = Progress()
    _, later = progress.receive(run_of([3, 9])).events
    later.finish(later.offset)
    with pytest.raises(KeyError):
        later.finish(later.offset)
    assert progress.commit().position.offset == 3


def test_an_old_answer_to_a_commit_does_no_harm_after_a_partition_left():
    progress = Progress()
    first, _ = progress.receive(run_of([1, 2], lambda _: 10)).events
    first.finish(first.offset)
    commit = progress.commit()
    assert progress.give_up() == (2, 20)
    assert progress.settle(commit) == (0, 0)


def test_a_log_that_went_back_is_noticed_before_and_after_the_first_event():
    progress = Progress(Position(10))
    assert progress.is_behind(9)
    assert not progress.is_behind(10)
    progress.receive(run_of([10, 11]))
    assert progress.is_behind(11)


def test_a_partition_is_crowded_until_there_is_room_again_and_nothing_untold_is_let_go():
    chance = random.Random(5)
    progress = Progress()
    events = [
        event
        for start in range(0, 60_000, 2000)
        for event in progress.receive(run_of(list(range(start, start + 2000)))).events
    ]
    later = [offset for offset in range(1, 60_000) if chance.random() < 0.5]
    for offset in later:
        events[offset].finish(offset)
    commit = progress.commit()
    assert progress.is_crowded
    assert len(commit.position.metadata) <= MOST_BYTES
    assert progress.settle(commit) == (0, 0)
    for offset in sorted({*range(60_000)} - {*later} - {59_999}):
        events[offset].finish(offset)
    commit = progress.commit()
    assert not progress.is_crowded
    assert progress.settle(commit) == (59_999, 59_999)


def test_each_owner_tells_the_next_what_those_before_it_finished():
    progress = Progress()
    _, second = progress.receive(run_of([1, 2])).events
    second.finish(second.offset)
    progress = Progress(progress.commit().position)
    progress.receive(run_of([1, 2]))
    progress.receive(run_of([3, 4])).events[1].finish(4)
    progress = Progress(progress.commit().position)
    assert [event.offset for event in progress.receive(run_of([1, 2, 3, 4])).events] == [1, 3]
