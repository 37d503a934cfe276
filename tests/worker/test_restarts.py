"""SIGHUP replaces the processes of a worker one after the other."""

import os
import pty
import shutil
import signal

import pytest
from confluent_kafka.admin import AdminClient
from processes import CLASSIC, HERE, PROGRAM
from workers import committed, publish

from waiting import wait_until

pytestmark = pytest.mark.kafka

SOON_S = 30
ALL_RESTARTED = "all processes are restarted"


@pytest.fixture
def topic(make_topic):
    return make_topic(4)


@pytest.fixture
def app_file(tmp_path):
    """Give an app of the test's own, which it may change."""
    (tmp_path / "app").mkdir()
    return shutil.copy(HERE / "journal_app.py", tmp_path / "app" / "own_app.py")


def started(worker):
    return [(line["process"], line["pid"]) for line in worker.lines("process started")]


def test_processes_are_restarted_one_after_the_other_and_nothing_is_lost(
    processes, stream, kafka, topic, group
):
    journal = processes.journal
    worker = processes.start("--processes=2")
    stream.start()
    wait_until(lambda: len(journal.pids()) == 2, SOON_S, "both handle")
    worker.signal(signal.SIGHUP)
    worker.wait_for(ALL_RESTARTED, timeout_s=60)
    assert [process for process, _ in started(worker)] in ([1, 2, 1, 2], [2, 1, 1, 2])
    assert [line["process"] for line in worker.lines("process ended for the next one")] == [1, 2]
    events = [line["event"] for line in worker.lines()]
    before_the_second = events[: len(events) - events[::-1].index("stopping")]
    assert before_the_second.count("worker ready") == 3
    count = stream.stop()
    wait_until(lambda: len(journal.ended()) == count, SOON_S, "all are handled")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()
    assert set(journal.ended().values()) == {1}
    journal.assert_order()
    assert committed(kafka, group, topic, 4) == count


def test_a_restart_asked_for_during_another_comes_after_it(processes):
    worker = processes.start("--processes=2")
    worker.wait_for("worker ready", 2)
    worker.signal(signal.SIGHUP)
    worker.wait_for("process started", 3)
    worker.signal(signal.SIGHUP)
    worker.wait_for("process started", 5, timeout_s=60)
    worker.wait_for(ALL_RESTARTED, timeout_s=60)
    assert [process for process, _ in started(worker)[2:]] == [1, 1, 2]
    assert len(worker.lines(ALL_RESTARTED)) == 1
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def test_sigterm_during_a_restart_stops_all_and_finishes_what_runs(processes, kafka, topic, group):
    worker = processes.start("--processes=2", HANDLER_PAUSE_S="1")
    worker.wait_for("worker ready", 2)
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(40)])
    wait_until(lambda: len(processes.journal.pids()) == 2, SOON_S, "both handle")
    worker.signal(signal.SIGHUP)
    worker.wait_for("stopping")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()
    assert len(started(worker)) == 2
    begun = sum(one.what == "begin" for one in processes.journal.entries())
    assert sum(processes.journal.ended().values()) == begun
    assert committed(kafka, group, topic, 4) == begun


def test_a_restart_that_meets_a_broken_app_waits_while_the_other_process_works(
    processes, app_file, kafka, topic
):
    worker = processes.start("--processes=2", app="own_app:app", folder=app_file.parent)
    worker.wait_for("worker ready", 2)
    pids = dict(started(worker))
    good = app_file.read_text()
    app_file.write_text("import no_such_module\n")
    worker.signal(signal.SIGHUP)
    ended, *_ = worker.wait_for("process ended; another one takes its place")
    assert ended["process"] == 1
    assert "needs 'no_such_module', which is not installed" in ended["why"]
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(20)])
    wait_until(lambda: len(processes.journal.ended()) == 20, SOON_S, "the other one handles all")
    assert processes.journal.pids() == {pids[2]}
    app_file.write_text(good)
    worker.signal(signal.SIGHUP)
    worker.wait_for(ALL_RESTARTED, timeout_s=60)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def test_sighup_stops_a_process_that_is_alone(processes, kafka, topic, group):
    worker = processes.start(HANDLER_PAUSE_S="0.3")
    worker.wait_for("worker ready")
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(4)])
    wait_until(processes.journal.entries, SOON_S, "handlers run")
    worker.signal(signal.SIGHUP)
    assert worker.wait() == 0, worker.text()
    begun = sum(one.what == "begin" for one in processes.journal.entries())
    assert committed(kafka, group, topic, 4) == begun


def test_processes_stop_when_their_terminal_is_closed(processes):
    ours, theirs = pty.openpty()
    worker = processes.start("--processes=2", stdin=theirs)
    os.close(theirs)
    worker.wait_for("worker ready")
    os.close(ours)
    worker.signal(signal.SIGHUP)
    assert worker.wait() == 0, worker.text()
    assert len(started(worker)) == 2


def test_nohup_keeps_sighup_from_a_process_that_is_alone(processes, kafka, topic):
    worker = processes.start(command=["nohup", PROGRAM, "worker", "journal_app:app"])
    worker.wait_for("worker ready")
    worker.signal(signal.SIGHUP)
    publish(kafka, topic, [(b"key", b"")])
    wait_until(processes.journal.ended, SOON_S, "it works on")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def assignments(kafka, group):
    """Give the partitions of each static member, by its name."""
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    described = client.describe_consumer_groups([group])[group].result()
    return {
        member.group_instance_id: {one.partition for one in member.assignment.topic_partitions}
        for member in described.members
    }


@pytest.mark.parametrize("options", [[], CLASSIC])
def test_static_members_get_the_same_partitions_back(processes, stream, kafka, group, options):
    worker = processes.start("--processes=2", "--instance-id=here", *options)
    worker.wait_for("worker ready", 2)
    stream.start()
    wait_until(lambda: len(processes.journal.pids()) == 2, SOON_S, "both handle")
    before = assignments(kafka, group)
    assert sorted(before) == ["here-1", "here-2"]
    assert [len(partitions) for partitions in before.values()] == [2, 2]
    seen = len(worker.lines("partitions assigned"))
    worker.signal(signal.SIGHUP)
    worker.wait_for(ALL_RESTARTED, timeout_s=60)
    assert assignments(kafka, group) == before
    assert len(worker.lines("partitions assigned")) == seen + 2, "nothing moved meanwhile"
    count = stream.stop()
    wait_until(lambda: len(processes.journal.ended()) == count, SOON_S, "all are handled")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()
    assert set(processes.journal.ended().values()) == {1}
    processes.journal.assert_order()


def test_a_name_in_the_group_that_is_taken_is_said_in_a_sentence(processes):
    first = processes.start("--instance-id=here")
    first.wait_for("worker ready")
    second = processes.start("--instance-id=here")
    assert second.wait() == 1
    assert "the group has a member with this process's instance_id" in second.text()
