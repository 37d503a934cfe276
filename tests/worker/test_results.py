"""What becomes of what handlers return, and of handlers in processes of their own."""

import asyncio
import os
import signal

import computing_app
import psutil
import pytest
from workers import committed, new_group, publish, reach, until, working

from eventstream import App, Event, Retry
from eventstream.backoff import Backoff
from eventstream.deadletters.inbox import read_inbox
from eventstream.errors import InvalidSetting
from records import read_log
from waiting import wait_until

pytestmark = pytest.mark.kafka


def failures(kafka, topic):
    entries = read_inbox(reach(kafka), topic).entries.values()
    return {entry.letter.event.offset: entry.letter.failure for entry in entries}


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_returned_events_are_in_the_log_before_their_event_is_done(kafka, topic, make_topic, kind):
    group, out = new_group(), make_topic()
    publish(kafka, topic, [(b"k", b"%d" % n) for n in range(20)])

    def answer(event):
        number = int(event.value)
        if number % 3 == 0:
            return None
        events = [Event(out, b"%d.%d" % (number, n), event.key) for n in range(number % 3)]
        return events[0] if len(events) == 1 else events

    async def answer_async(event):
        return answer(event)

    app = App()
    app.on(topic)(answer_async if kind == "async" else answer)

    async def main():
        async with working(app, kafka, group) as worker:
            counters = worker._parts[topic].counters
            await until(lambda: counters.received == 20, "all came")
            await until(lambda: not worker._bound.events, "all is on record")

    asyncio.run(main())
    expected = [(b"k", b"%d.%d" % (n, m)) for n in range(20) for m in range(n % 3)]
    assert sorted(read_log(kafka, out)) == sorted(expected)
    assert committed(kafka, group, topic) == 20


def test_an_event_whose_result_cannot_be_published_is_not_done(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"k", b"1"), (b"k", b"2")])
    app = App()

    @app.on(topic)
    async def handle(event):
        return Event(f"{topic}-nowhere", b"") if event.value == b"1" else event.value

    async def main():
        async with working(app, kafka, group) as worker:
            counters = worker._parts[topic].counters
            await until(lambda: counters.given_up == 2, "both are given up", 40)

    asyncio.run(main())
    found = failures(kafka, topic)
    assert found[0].error == "eventstream.errors.TopicNotFound"
    assert (
        found[1].message == "A handler returned bytes: return an Event, a list of them, or nothing."
    )


def test_handlers_that_compute_run_in_processes_of_their_own(
    kafka, topic, make_topic, tmp_path, monkeypatch
):
    group = new_group()
    make_topic(name=f"{topic}-squares")
    app = App()
    retry = Retry(backoff=Backoff(first_s=0.01))
    app.on(topic, cpu_bound=True, concurrency=2, retry=retry)(computing_app.compute)
    computing = tmp_path / "computing"
    monkeypatch.setenv("COMPUTING", str(computing))
    values = [b"3", b"no number", b"0", b"-7", b"4"]
    publish(kafka, topic, [(b"k", value) for value in values])

    async def main():
        async with working(app, kafka, group) as worker:
            await until(lambda: computing.exists() and computing.read_text(), "one computes", 40)
            os.kill(int(computing.read_text()), signal.SIGKILL)
            computing.unlink()
            await until(computing.exists, "it computes again", 40)
            computing.unlink()
            counters = worker._parts[topic].counters
            await until(lambda: counters.received == 5, "all came")
            await until(lambda: not worker._bound.events, "all is on record", 40)

    asyncio.run(main())
    results = [value.split() for _, value in read_log(kafka, f"{topic}-squares")]
    assert [square for square, _ in results] == [b"9", b"49", b"16"]
    assert b"%d" % os.getpid() not in {pid for _, pid in results}
    found = failures(kafka, topic)
    assert {offset: failure.error for offset, failure in found.items()} == {
        1: "eventstream.errors.InvalidEvent",
        2: "eventstream.errors.Permanent",
    }


def test_no_process_of_the_pool_outlives_a_killed_worker(
    kafka, topic, make_topic, processes, tmp_path
):
    make_topic(name=f"{topic}-squares")
    computing = tmp_path / "computing"
    worker = processes.start(app="computing_app:app", COMPUTING=str(computing))
    publish(kafka, topic, [(b"k", b"-1")])
    wait_until(lambda: computing.exists() and computing.read_text(), 40, "one computes")
    child = psutil.Process(int(computing.read_text()))
    worker.process.kill()
    child.wait(20)


def test_an_async_handler_does_not_compute(topic):
    async def handle(event):
        return event

    with pytest.raises(InvalidSetting, match="make the handler a plain function"):
        App().on(topic, cpu_bound=True)(handle)
