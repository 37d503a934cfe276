"""What every sink does, whatever is behind it.

A test module makes a class of `SinkConformance` and gives it a fixture `target`, which has

- `sink()`: a sink that is not open yet;
- `event(partition, offset)`: an event with one effect;
- `poisons`: functions like `event`, each of a kind that can never be written;
- `written(partition)`: the offsets whose effects are there, as often as they are;
- `wire(how)`: an asynchronous context, a target too, whose sinks reach the server over a wire; on
  it the first commit is cut off "before" it arrives, "after" it was done or "late", on its way
  until `let_go()`; or it is put on "hold" until then, once `held` is set.
"""

import asyncio
import contextlib

import pytest

from eventstream.sinks.contract import Fenced, Poisoned, SinkUnavailable

GROUP, TOPIC = "group", "orders"
TAKING_S = 2.0
SETTLING_S = 5.0


@contextlib.asynccontextmanager
async def opened(target):
    sink = target.sink()
    await sink.open(GROUP, TOPIC)
    try:
        yield sink
    finally:
        await sink.close()


def events(target, *offsets, partition=0):
    return [target.event(partition, offset) for offset in offsets]


class SinkConformance:
    pytestmark = pytest.mark.anyio

    async def test_the_first_tenure_starts_where_it_is_told(self, target):
        async with opened(target) as sink:
            assert (await sink.take_over(0, 7)).next_offset == 7

    async def test_an_owner_goes_on_where_the_one_before_was(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 5)
            await tenure.write(events(target, 5, 6), 7)
            assert tenure.next_offset == 7
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 100)
            assert tenure.next_offset == 7
            await tenure.write(events(target, 7), 8)
        assert target.written(0) == [5, 6, 7]

    async def test_another_topic_of_the_name_begins_anew(self, target):
        async with opened(target) as sink:
            old = await sink.take_over(0, 0, "one")
            await old.write(events(target, 0, 1), 50)
            old = await sink.take_over(0, 0, "one")
            assert old.next_offset == 50
            new = await sink.take_over(0, 7, "another")
            assert new.next_offset == 7
            with pytest.raises(Fenced):
                await old.write(events(target, 50), 51)
            await new.write(events(target, 7), 8)
            assert (await sink.take_over(0, 0, "another")).next_offset == 8
        assert target.written(0) == [0, 1, 7]

    async def test_events_that_were_given_up_are_added_beside_each_other(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            await tenure.write([], 20)
            await asyncio.gather(*(tenure.add(event) for event in events(target, *range(10))))
        assert sorted(target.written(0)) == list(range(10))

    async def test_groups_do_not_know_each_other(self, target):
        async with opened(target) as sink:
            await (await sink.take_over(0, 0)).write([], 5)
        other = target.sink()
        await other.open("another group", TOPIC)
        assert (await other.take_over(0, 0)).next_offset == 0
        await other.close()

    async def test_an_old_tenure_writes_nothing_more(self, target):
        async with opened(target) as one, opened(target) as two:
            old = await one.take_over(0, 0)
            await old.write(events(target, 0), 1)
            new = await two.take_over(0, 0)
            with pytest.raises(Fenced):
                await old.write(events(target, 1), 2)
            await new.write(events(target, 1), 2)
            with pytest.raises(Fenced):
                await old.write([], 3)
        assert target.written(0) == [0, 1]

    async def test_an_old_tenure_of_the_same_sink_is_over_too(self, target):
        async with opened(target) as sink:
            old = await sink.take_over(0, 0)
            new = await sink.take_over(0, 0)
            with pytest.raises(Fenced):
                await old.write(events(target, 0), 1)
            await new.write(events(target, 0), 1)
        assert target.written(0) == [0]

    async def test_an_owner_that_stopped_in_the_middle_is_not_waited_for_long(self, target):
        async with target.wire("hold") as wire, opened(wire) as one, opened(target) as two:
            old = await one.take_over(0, 0)
            stopped = asyncio.create_task(old.write(events(target, 0), 1))
            await wire.held.wait()
            async with asyncio.timeout(TAKING_S):
                new = await two.take_over(0, 0)
            assert new.next_offset == 0
            await new.write(events(target, 0, 1), 2)
            wire.let_go()
            with pytest.raises((Fenced, SinkUnavailable)):
                await stopped
            with pytest.raises(Fenced):
                await old.write(events(target, 0), 1)
        assert target.written(0) == [0, 1]

    async def test_events_left_out_in_between_have_no_effects(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            await tenure.write(events(target, 0, 3, 9), 20)
            await tenure.write(events(target, 25), 26)
            assert (await sink.take_over(0, 0)).next_offset == 26
        assert target.written(0) == [0, 3, 9, 25]

    async def test_an_event_that_was_given_up_is_added_once_and_the_position_stays(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            await tenure.write(events(target, 0, 2), 3)
            (late,) = events(target, 1)
            await tenure.add(late)
            await tenure.add(late)
            await tenure.write(events(target, 3), 4)
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            assert tenure.next_offset == 4
            await tenure.add(late)
        assert sorted(target.written(0)) == [0, 1, 2, 3]

    async def test_what_can_still_not_be_written_is_not_added(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            await tenure.write([], 1)
            for poison in target.poisons:
                with pytest.raises(Poisoned) as raised:
                    await tenure.add(poison(0, 0))
                assert list(raised.value.reasons) == [0]
        assert target.written(0) == []

    async def test_an_old_tenure_adds_nothing(self, target):
        async with opened(target) as one, opened(target) as two:
            old = await one.take_over(0, 0)
            await old.write(events(target, 0), 2)
            await old.add(*events(target, 1))
            new = await two.take_over(0, 0)
            await new.add(*events(target, 1))
            with pytest.raises(Fenced):
                await old.write(events(target, 2), 3)
        assert sorted(target.written(0)) == [0, 1]

    async def test_a_position_moves_without_events(self, target):
        async with opened(target) as sink:
            await (await sink.take_over(0, 0)).write([], 12)
            assert (await sink.take_over(0, 0)).next_offset == 12
        assert target.written(0) == []

    async def test_partitions_do_not_wait_for_each_other(self, target):
        async with opened(target) as sink:
            tenures = [await sink.take_over(partition, 0) for partition in range(4)]
            for first in range(0, 40, 10):
                batch = range(first, first + 10)
                await asyncio.gather(
                    *(
                        tenure.write(events(target, *batch, partition=partition), first + 10)
                        for partition, tenure in enumerate(tenures)
                    )
                )
        for partition in range(4):
            assert target.written(partition) == list(range(40))

    async def test_poisoned_events_are_named_and_nothing_is_written(self, target):
        bad = {3 + 4 * number: poison for number, poison in enumerate(target.poisons)}
        good = [offset for offset in range(40) if offset not in bad]
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            for offset, poison in bad.items():
                with pytest.raises(Poisoned) as raised:
                    await tenure.write(
                        [*events(target, *range(offset)), poison(0, offset)], offset + 1
                    )
                assert list(raised.value.reasons) == [offset]
                assert all(reason.endswith(".") for reason in raised.value.reasons.values())
                assert target.written(0) == []
                assert tenure.next_offset == 0
            await tenure.write(events(target, *good), 40)
            assert (await sink.take_over(0, 0)).next_offset == 40
        assert target.written(0) == good

    async def test_many_poisoned_events_of_a_kind_are_named_at_once(self, target):
        async with opened(target) as sink:
            tenure = await sink.take_over(0, 0)
            for poison in target.poisons:
                batch = [
                    (poison if offset in {0, 7, 8, 63} else target.event)(0, offset)
                    for offset in range(64)
                ]
                with pytest.raises(Poisoned) as raised:
                    await tenure.write(batch, 64)
                assert set(raised.value.reasons) == {0, 7, 8, 63}
        assert target.written(0) == []

    async def test_a_commit_that_was_cut_off_is_written_when_asked_again(self, target):
        async with target.wire("before") as wire, opened(wire) as sink:
            tenure = await sink.take_over(0, 0)
            with pytest.raises(SinkUnavailable):
                await tenure.write(events(target, 0, 1), 2)
            assert target.written(0) == []
            await tenure.write(events(target, 0, 1), 2)
            await tenure.write(events(target, 2), 3)
        assert target.written(0) == [0, 1, 2]

    async def test_a_commit_whose_answer_was_cut_off_is_looked_up(self, target):
        async with target.wire("after") as wire, opened(wire) as sink:
            tenure = await sink.take_over(0, 0)
            with contextlib.suppress(SinkUnavailable):
                await tenure.write(events(target, 0, 1), 2)
            await tenure.write(events(target, 0, 1), 2)
            assert tenure.next_offset == 2
            await tenure.write(events(target, 2), 3)
        assert target.written(0) == [0, 1, 2]

    async def test_a_commit_that_arrives_late_has_no_effect(self, target):
        async with target.wire("late") as wire, opened(wire) as sink:
            tenure = await sink.take_over(0, 0)
            async with asyncio.timeout(SETTLING_S):
                with pytest.raises(SinkUnavailable):
                    await tenure.write(events(target, 0, 1), 2)
                await tenure.write(events(target, 0, 1), 2)
            wire.let_go()
            await tenure.write(events(target, 2), 3)
        assert target.written(0) == [0, 1, 2]

    async def test_a_cancel_during_commit_waits_for_its_outcome(self, target):
        async with target.wire("hold") as wire, opened(wire) as sink:
            tenure = await sink.take_over(0, 0)
            writing = asyncio.create_task(tenure.write(events(target, 0), 1))
            await wire.held.wait()
            writing.cancel()
            wire.let_go()
            await asyncio.wait([writing])
            assert not writing.cancelled()
            await tenure.write(events(target, 1), 2)
        assert target.written(0) == [0, 1]

    async def test_closing_waits_for_what_runs(self, target):
        async with target.wire("hold") as wire:
            sink = wire.sink()
            await sink.open(GROUP, TOPIC)
            tenure = await sink.take_over(0, 0)
            writing = asyncio.create_task(tenure.write(events(target, 0), 1))
            await wire.held.wait()
            closing = asyncio.create_task(sink.close())
            wire.let_go()
            await closing
            assert writing.done()
            await writing
        assert target.written(0) == [0]

    async def test_sinks_of_one_group_open_at_once(self, target):
        sinks = [target.sink() for _ in range(4)]
        await asyncio.gather(*(sink.open(GROUP, TOPIC) for sink in sinks))
        await asyncio.gather(*(sink.close() for sink in sinks))
