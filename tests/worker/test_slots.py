import asyncio
import contextlib
import threading
import time
from itertools import repeat

import pytest
from confluent_kafka import Message
from structlog.testing import capture_logs
from workers import until

from eventstream.backoff import Backoff
from eventstream.events import Event, Receipt
from eventstream.log.received import runs_of
from eventstream.worker.handling import Handling
from eventstream.worker.machine import THIS_MACHINE
from eventstream.worker.retry import Retry
from eventstream.worker.slots import TURN_S
from eventstream.worker.subscription import Subscription

SOON_S = 5


def records(*keys, partition=0, start=0, values=None):
    return [
        Message(topic="t", partition=partition, offset=start + number, key=key, value=value)
        for number, (key, value) in enumerate(zip(keys, values or repeat(b"v"), strict=False))
    ]


class Letters:
    """Companions of a topic in memory, always empty when a partition begins."""

    group = "group"

    def __init__(self, working):
        self.written = []
        self._working = working

    async def write(self, event, failure):
        self.written.append((event.key, failure.error))
        return Receipt("t.deadletter", event.partition, len(self.written) - 1)

    def follow(self, places):
        for place in places:
            self._working.handling.caught_up(*place)

    def leave(self, places):
        pass

    async def fetch(self, topic, partition, offsets):
        raise AssertionError(f"nobody asked for {topic}/{partition}/{offsets}")


class Working:
    """Slots with one partition, and what their handler was called with."""

    def __init__(self, handler, *keys, concurrency=4, order="key", timeout_s=None, adaptive=False):
        self.ends_asked_for = []
        self.letters = Letters(self)
        retry = Retry(attempts=None, backoff=Backoff(first_s=0.001, cap_s=0.002))
        subscription = Subscription(
            "t", handler, concurrency, order, timeout_s, retry, adaptive=adaptive
        )
        self.handling = Handling(
            subscription,
            None,
            self.letters,
            self.letters,
            self.letters.fetch,
            THIS_MACHINE,
            turn_ended=lambda: None,
            gave_in=self.ends_asked_for.append,
        )
        self.handling.assign(0)
        self._keys = keys

    @property
    def position(self):
        return self.handling.progress[0].commit().position.offset

    async def __aenter__(self):
        await until(
            lambda: len(self.handling._slots._idle) == len(self.handling._slots._slots),
            "all slots rest",
        )
        for run in runs_of(records(*self._keys)):
            self.handling.receive(run)
        return self

    async def __aexit__(self, *_):
        await self.handling.close()


def test_handlers_of_one_key_follow_each_other_while_keys_run_side_by_side():
    async def main():
        running, most, log = set(), 0, []

        async def handle(event):
            nonlocal most
            assert event.key not in running
            running.add(event.key)
            most = max(most, len(running))
            await asyncio.sleep(0.002)
            running.remove(event.key)
            log.append((event.key, event.offset))

        keys = [b"a", b"b", b"c", b"a", b"b", b"a"]
        async with Working(handle, *keys) as working:
            await until(lambda: working.handling.handled == len(keys), "it happens")
            assert working.position == len(keys)
        assert most == 3
        for key in (b"a", b"b", b"c"):
            offsets = [offset for one, offset in log if one == key]
            assert offsets == sorted(offsets)

    asyncio.run(main())


def test_as_many_handlers_run_at_once_as_asked_for_and_no_more():
    async def main():
        running = most = 0
        go = asyncio.Event()

        async def handle(_event):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1

        async with Working(handle, *[None] * 50, concurrency=7) as working:
            await until(lambda: running == 7, "it happens")
            go.set()
            await until(lambda: working.handling.handled == 50, "it happens")
        assert most == 7

    asyncio.run(main())


def test_handlers_that_never_suspend_leave_the_loop_its_turns():
    async def main():
        async def handle(_event):
            time.sleep(TURN_S / 4)  # noqa: ASYNC251 - the loop is to be blocked

        async with Working(handle, *[None] * 400) as working:
            turns = 0
            while working.handling.handled < 400:
                await asyncio.sleep(0)
                turns += 1
            assert turns > 40

    asyncio.run(main())


def test_a_failed_event_is_tried_again_and_holds_its_position_and_its_lane():
    async def main():
        calls = []

        async def handle(event):
            calls.append(event.offset)
            if event.offset == 0 and calls.count(0) < 4:
                assert working.position == 0
                raise RuntimeError("not yet")

        async with Working(handle, b"bad", b"good", b"bad") as working:
            await until(lambda: working.handling.handled == 3, "it happens")
            assert working.position == 3
            assert working.handling.counters.failed_attempts == 3
            assert working.handling._attempts.tried == {}
        assert calls == [0, 1, 0, 0, 0, 2]

    asyncio.run(main())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_handler_that_ends_the_process_does_not_finish_its_event(error):
    async def main():
        async def handle(event):
            if event.key == b"bad":
                raise error

        async with Working(handle, b"bad", b"good") as working:
            await until(
                lambda: working.ends_asked_for and working.handling.handled == 1, "it happens"
            )
            assert isinstance(working.ends_asked_for[0], error)
            assert working.position == 0

    asyncio.run(main())


def test_a_slot_that_fails_by_itself_stops_the_worker():
    async def main():
        async def handle(event):
            event.finish(event.offset)

        async with Working(handle, b"a") as working:
            await until(lambda: working.ends_asked_for, "the worker is told")
            assert isinstance(working.ends_asked_for[0], KeyError)

    asyncio.run(main())


def test_a_handler_that_cancels_itself_has_failed():
    async def main():
        calls = []

        async def handle(event):
            calls.append(event.offset)
            if len(calls) == 1:
                asyncio.current_task().cancel()
            await asyncio.sleep(0)

        async with Working(handle, b"a", concurrency=1) as working:
            await until(lambda: working.handling.handled == 1, "it happens")
            assert not working.handling._slots._slots[0].task.cancelling()
        assert calls == [0, 0]

    asyncio.run(main())


def test_a_leaving_partition_starts_nothing_more_and_tells_when_the_running_end():
    async def main():
        go, started = asyncio.Event(), []

        async def handle(event):
            started.append(event.offset)
            await go.wait()

        async with Working(handle, b"a", b"b", b"a", b"c", concurrency=2) as working:
            await until(lambda: started == [0, 1], "it happens")
            endings = working.handling.leave(0)
            assert len(endings) == 2
            go.set()
            async with asyncio.timeout(SOON_S):
                await asyncio.gather(*endings)
            assert working.position == 2
            assert working.handling.forget(0) == (4, 4)
            assert working.handling.handled == 2
        assert started == [0, 1]

    asyncio.run(main())


def test_what_still_runs_of_a_forgotten_partition_counts_for_nothing():
    async def main():
        cancelled = []

        async def handle(event):
            if event.partition == 0 and not cancelled:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.append(event.offset)

        async with Working(handle, b"a", concurrency=1) as working:
            await until(lambda: working.handling._slots._slots[0].event is not None, "it happens")
            working.handling.forget(0)
            working.handling.assign(0)
            for run in runs_of(records(b"a")):
                working.handling.receive(run)
            assert working.position == 0
            await until(lambda: working.handling.handled == 1, "it happens")
            assert working.position == 1
            assert not working.handling._slots._slots[0].task.cancelling()
        assert cancelled == [0]

    asyncio.run(main())


def test_a_thread_that_ends_after_its_partition_left_finishes_nothing():
    async def main():
        go, ended = threading.Event(), threading.Event()

        def handle(_event):
            go.wait(SOON_S)
            ended.set()

        async with Working(handle, b"a", concurrency=1) as working:
            await until(lambda: working.handling._slots._slots[0].event is not None, "it happens")
            working.handling.forget(0)
            working.handling.assign(0)
            for run in runs_of(records(b"b", start=0)):
                working.handling.progress[0].receive(run)
            go.set()
            await until(ended.is_set, "it happens")
            await asyncio.sleep(0)
            assert working.position == 0

    asyncio.run(main())


def test_a_waiting_retry_is_forgotten_with_its_partition():
    async def main():
        calls = []

        async def handle(event):
            calls.append(event.key)
            raise RuntimeError("never")

        async with Working(handle, b"a") as working:
            await until(lambda: calls, "it happens")
            working.handling.forget(0)
            seen = len(calls)
            working.handling.assign(1)
            for run in runs_of(records(b"other", partition=1)):
                working.handling.receive(run)
            await until(lambda: calls.count(b"other") > 3, "it happens")
            assert calls.count(b"a") == seen
            assert not any(event.partition == 0 for event in working.handling._attempts.tried)

    asyncio.run(main())


def test_plain_functions_run_in_threads_and_so_do_several_at_once():
    async def main():
        barrier = threading.Barrier(3)
        threads = set()

        def handle(_event):
            threads.add(threading.current_thread())
            barrier.wait(SOON_S)

        async with Working(handle, b"a", b"b", b"c") as working:
            await until(lambda: working.handling.handled == 3, "it happens")
        assert len(threads) == 3
        assert threading.main_thread() not in threads

    asyncio.run(main())


def test_a_plain_function_that_returns_an_awaitable_has_it_awaited():
    async def main():
        awaited = []

        async def later(event):
            awaited.append(event.offset)

        def plain(event):
            return later(event)

        async with Working(plain, b"a") as working:
            await until(lambda: working.handling.handled == 1, "it happens")
        assert awaited == [0]

    asyncio.run(main())


def test_a_callable_object_with_an_async_call_is_awaited_in_the_loop():
    class Handler:
        def __init__(self):
            self.tasks = []

        async def __call__(self, _event):
            self.tasks.append(asyncio.current_task())

    async def main():
        handler = Handler()
        async with Working(handler, b"a") as working:
            await until(lambda: working.handling.handled == 1, "it happens")
        assert handler.tasks[0] is not None

    asyncio.run(main())


def test_times_are_counted_by_how_long_attempts_took():
    async def main():
        async def handle(event):
            if event.key == b"slow":
                await asyncio.sleep(0.012)

        async with Working(handle, b"quick", b"slow", b"quick") as working:
            await until(lambda: working.handling.handled == 3, "it happens")
            samples = {one.metric: one for one in working.handling.samples()}
        seconds = samples["eventstream_worker_handler_seconds"]
        assert seconds.counts[0] == 2
        assert sum(seconds.counts) == 3
        assert seconds.value >= 0.012
        assert samples["eventstream_worker_events_handled_total"].value == 3

    asyncio.run(main())


@pytest.mark.parametrize("is_async", [True, False])
def test_a_typed_handler_gets_its_data_and_a_value_that_does_not_fit_waits(is_async):
    async def main():
        got = []

        def handle(number: int, event: Event):
            got.append((number, event.key))

        async def handle_async(number: int, event: Event):
            handle(number, event)

        async with Working(handle_async if is_async else handle) as working:
            for run in runs_of(records(b"a", b"b", values=[b"1", b"one"])):
                working.handling.receive(run)
            await until(lambda: working.position == 2, "one is handled, one given up")
            assert got == [(1, b"a")]
            assert working.letters.written == [(b"b", "eventstream.errors.InvalidEvent")]
            assert working.handling.handled == working.handling.counters.given_up == 1

    asyncio.run(main())


def test_a_handler_that_takes_too_long_is_cancelled_and_tried_again():
    async def main():
        attempts, cancelled, done = [], [], []

        async def handle(event):
            attempts.append(event.key)
            if attempts.count(b"slow") == 1 and event.key == b"slow":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.append(event.key)
                    raise
            done.append(event.key)

        keys = (b"slow", b"quick", b"slow")
        with capture_logs() as logs:
            async with Working(handle, *keys, timeout_s=0.05) as working:
                await until(lambda: len(done) == 3, "all are handled")
                assert working.position == 3
        assert cancelled == [b"slow"]
        assert done == [b"quick", b"slow", b"slow"]
        (failed,) = [entry for entry in logs if entry["event"] == "attempt failed"]
        assert str(failed["exc_info"]) == "The handler did not end within 0.05 s."
        assert isinstance(failed["exc_info"].__cause__, asyncio.CancelledError)

    asyncio.run(main())


def test_a_handler_that_ends_well_though_it_was_cancelled_is_done():
    async def main():
        done, cancels = [], []

        async def handle(event):
            if event.key == b"stubborn":
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            cancels.append(asyncio.current_task().cancelling())
            done.append(event.key)

        async with Working(handle, b"stubborn", timeout_s=0.02, concurrency=1) as working:
            await until(lambda: done, "the stubborn one ends")
            for run in runs_of(records(b"next", start=1)):
                working.handling.receive(run)
            await until(lambda: len(done) == 2, "the next one is handled")
            assert working.position == 2
            assert working.handling.counters.failed_attempts == 0
        assert cancels == [1, 0]

    asyncio.run(main())
