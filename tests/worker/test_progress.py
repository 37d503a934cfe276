import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventstream.worker.progress import Progress

GAPS = st.lists(st.integers(1, 4), min_size=1, max_size=6)


class ProgressMachine(RuleBasedStateMachine):
    """Positions, beside a model that keeps every offset."""

    def __init__(self):
        super().__init__()
        self.progress = Progress()
        self.sizes = {}
        self.unfinished = set()
        self.settled = set()
        self.newest = 0

    def receive_offsets(self, gaps):
        offsets = []
        for gap in gaps:
            self.newest += gap
            offsets.append(self.newest)
        return offsets

    @rule(gaps=GAPS)
    def receive(self, gaps):
        offsets = self.receive_offsets(gaps)
        sizes = [offset % 7 for offset in offsets]
        self.sizes.update(zip(offsets, sizes, strict=True))
        self.unfinished.update(offsets)
        self.progress.receive(offsets, sizes)

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def done(self, data):
        offset = data.draw(st.sampled_from(sorted(self.unfinished)))
        self.unfinished.remove(offset)
        self.progress.done(offset)

    @precondition(lambda self: self.sizes)
    @rule()
    def commit(self):
        position = self.progress.position
        passed = {offset for offset in self.sizes if offset < position} - self.settled
        expected = len(passed), sum(self.sizes[offset] for offset in passed)
        assert self.progress.settle(position) == expected
        self.settled |= passed

    @precondition(lambda self: self.sizes)
    @rule()
    def give_up(self):
        kept = set(self.sizes) - self.settled
        expected = len(kept), sum(self.sizes[offset] for offset in kept)
        assert self.progress.give_up() == expected
        self.__init__()

    @invariant()
    def the_position_is_the_lowest_unfinished_or_one_after_the_last(self):
        if self.unfinished:
            assert self.progress.position == min(self.unfinished)
        elif self.sizes:
            assert self.progress.position == self.newest + 1
        else:
            assert self.progress.position == -1
        assert self.progress.unfinished == len(self.unfinished)


TestProgress = ProgressMachine.TestCase


def test_an_offset_is_done_once():
    progress = Progress()
    progress.receive([3, 9], [0, 0])
    progress.done(9)
    with pytest.raises(KeyError):
        progress.done(9)
    with pytest.raises(KeyError):
        progress.done(4)
    assert progress.position == 3


def test_an_old_answer_to_a_commit_does_no_harm_after_a_partition_left():
    progress = Progress()
    progress.receive([1, 2], [10, 10])
    assert progress.give_up() == (2, 20)
    assert progress.settle(2) == (0, 0)
