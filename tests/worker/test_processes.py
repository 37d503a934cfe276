import signal
import sys
from urllib.request import urlopen

import psutil
import pytest
from processes import CLASSIC
from workers import committed, publish

from waiting import wait_until

pytestmark = pytest.mark.kafka

SOON_S = 30


@pytest.fixture
def topic(make_topic):
    return make_topic(4)


def test_sigterm_finishes_what_runs_commits_and_exits_0(kafka, processes, topic, group):
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(400)])
    worker = processes.start(HANDLER_PAUSE_S="0.05")
    wait_until(processes.journal.ended, SOON_S, "some are handled")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()
    entries = processes.journal.entries()
    begun = sum(one.what == "begin" for one in entries)
    assert 0 < begun < 400
    assert sum(one.what == "end" for one in entries) == begun
    assert committed(kafka, group, topic, 4) == begun


def test_a_second_signal_exits_at_once_and_commits_nothing_unfinished(
    kafka, processes, topic, group
):
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(20)])
    worker = processes.start(HANDLER_PAUSE_S="60")
    wait_until(processes.journal.entries, SOON_S, "some have begun")
    worker.signal(signal.SIGTERM)
    worker.wait_for("stopping")
    worker.signal(signal.SIGTERM)
    assert worker.wait(5) == 128 + signal.SIGTERM
    assert committed(kafka, group, topic, 4) == 0


def test_partitions_move_between_processes_without_loss_or_repeats(
    processes, stream, topic, kafka, group
):
    journal = processes.journal
    first = processes.start()
    stream.start()
    wait_until(journal.entries, SOON_S, "the first handles")
    second = processes.start()
    wait_until(lambda: len(journal.pids()) == 2, SOON_S, "the second handles")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0, first.text()
    count = stream.stop()
    wait_until(lambda: len(journal.ended()) == count, SOON_S, "all are handled")
    second.signal(signal.SIGTERM)
    assert second.wait() == 0, second.text()
    assert set(journal.ended().values()) == {1}
    journal.assert_order()
    assert committed(kafka, group, topic, 4) == count


def test_a_killed_process_loses_nothing_and_repeats_only_what_was_in_flight(processes, stream):
    journal, bound = processes.journal, 100
    survivor = processes.start(*CLASSIC)
    survivor.wait_for("worker ready")
    victim = processes.start(*CLASSIC, f"--max-in-flight={bound}", "--commit-interval-s=0.05")
    stream.start()
    wait_until(lambda: len(journal.pids()) == 2, SOON_S, "both handle")
    seen = len(journal.entries())
    wait_until(lambda: len(journal.entries()) > seen + 500, SOON_S, "both are well under way")
    victim.process.kill()
    victim.wait()
    count = stream.stop()
    wait_until(lambda: len(journal.ended()) == count, SOON_S, "all are handled")
    journal.assert_order(within_process=True)
    begun = sum(one.what == "begin" for one in journal.entries())
    assert begun - count <= bound


def test_a_dead_process_of_several_is_replaced(processes, stream):
    journal = processes.journal
    worker = processes.start("--processes=2", *CLASSIC)
    stream.start()
    wait_until(lambda: len(journal.pids()) == 2, SOON_S, "both handle")
    victim = worker.children()[0]
    psutil.Process(victim).kill()
    (ended,) = worker.wait_for("process ended; another one takes its place")
    assert (ended["pid"], ended["why"]) == (victim, "SIGKILL ended it")
    worker.wait_for("process started", 3)
    count = stream.stop()
    wait_until(lambda: len(journal.ended()) == count, SOON_S, "all are handled")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def test_processes_end_by_themselves_when_their_supervisor_is_killed(
    kafka, processes, topic, group
):
    worker = processes.start("--processes=2", HANDLER_PAUSE_S="0.3")
    worker.wait_for("worker ready")
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(10)])
    wait_until(processes.journal.entries, SOON_S, "handlers run")
    children = [psutil.Process(pid) for pid in worker.children()]
    worker.process.kill()
    psutil.wait_procs(children, timeout=SOON_S)
    assert not any(child.is_running() for child in children)
    entries = processes.journal.entries()
    begun = sum(one.what == "begin" for one in entries)
    assert sum(one.what == "end" for one in entries) == begun
    assert committed(kafka, group, topic, 4) == begun


def test_ctrl_c_reaches_several_processes_once(processes, kafka, topic):
    worker = processes.start("--processes=2", HANDLER_PAUSE_S="0.3")
    worker.wait_for("worker ready")
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(10)])
    wait_until(processes.journal.entries, SOON_S, "handlers run")
    worker.signal(signal.SIGINT)
    assert worker.wait() == 0, worker.text()
    entries = processes.journal.entries()
    assert sum(one.what == "begin" for one in entries) == sum(one.what == "end" for one in entries)


def test_a_second_signal_ends_several_processes_at_once(processes, kafka, topic):
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(20)])
    worker = processes.start("--processes=2", HANDLER_PAUSE_S="60")
    wait_until(processes.journal.entries, SOON_S, "some have begun")
    worker.signal(signal.SIGTERM)
    worker.wait_for("stopping")  # the other one may still be starting, and ends at once
    worker.signal(signal.SIGTERM)
    assert worker.wait(5) == 128 + signal.SIGTERM


@pytest.mark.parametrize("count", [1, 2])
def test_an_app_that_is_not_there_is_said_once_and_not_tried_again(processes, count):
    worker = processes.start(f"--processes={count}", app="no_such_app:app")
    assert worker.wait() == 78
    assert "There is no module 'no_such_app'" in worker.text()
    assert "another one takes its place" not in worker.text()


SUPERVISE = """
import asyncio, os, sys
from eventstream.observe.logs import configure_logging
from eventstream.settings import *
from eventstream.backoff import Backoff
from eventstream.supervision.child import Program
from eventstream.supervision.link import encode_job
from eventstream.supervision.supervisor import Supervisor
from eventstream.worker.process import Job
groups = [from_environment(group, os.environ) for group in
          (WorkerSettings, KafkaSettings, HomeSettings, LogSettings)]
configure_logging(groups[3])
backoff = Backoff(first_s=0.05, cap_s=0.4, jitter=0)
job = encode_job(Job(sys.argv[1], *groups))
program = Program("worker", "eventstream.worker.process", lambda number: job)
async def main():
    return await Supervisor(program, 1, 10, silence_s=1, backoff=backoff).run()
sys.exit(asyncio.run(main()))
"""


def supervise(processes, app="journal_app:app", **environment):
    command = [sys.executable, "-c", SUPERVISE, app]
    return processes.start(command=command, **environment)


def test_a_silent_process_is_replaced(processes):
    worker = supervise(processes)
    worker.wait_for("worker ready")
    (silent,) = worker.children()
    psutil.Process(silent).suspend()
    (ended,) = worker.wait_for("process ended; another one takes its place")
    assert (ended["pid"], ended["why"]) == (silent, "it answered nothing for 1 s")
    worker.wait_for("process started", 2)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def test_a_crash_looping_process_is_replaced_later_each_time(processes):
    worker = supervise(processes, app="crashing_app:app")
    ended = worker.wait_for("process ended; another one takes its place", 4)
    assert [one["in_s"] for one in ended[:4]] == [0.1, 0.1, 0.2, 0.4]
    assert [one["times_in_a_row"] for one in ended[:4]] == [1, 2, 3, 4]
    assert {one["why"] for one in ended} == {
        "it exited with status 1: RuntimeError: the app is broken"
    }
    worker.signal(signal.SIGTERM)
    worker.wait()


def test_metrics_are_served_where_asked_for(processes, kafka, topic):
    publish(kafka, topic, [(b"key", b"")])
    worker = processes.start("--metrics-port=0")
    (served,) = worker.wait_for("metrics served")
    wait_until(processes.journal.ended, SOON_S, "the event is handled")

    def handled():
        with urlopen(served["url"], timeout=5) as answer:
            text = answer.read().decode()
        return f'eventstream_worker_events_handled_total{{topic="{topic}"}} 1.0' in text

    wait_until(handled, SOON_S, "the scrape shows it")
