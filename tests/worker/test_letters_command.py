"""`eventstream deadletters`, beside workers that run, die and come back."""

import functools
import json
import signal

import psutil
import pytest
from workers import publish

from waiting import wait_until

pytestmark = pytest.mark.kafka

KEYS = [f"key-{number}" for number in range(12)]
REFUSED = KEYS[:3]


@pytest.fixture
def topic(make_topic):
    return make_topic(4)


@pytest.fixture
def letters(run, kafka):
    servers = f"--bootstrap-servers={kafka.bootstrap_servers}"

    def letters(command, *arguments):
        return run("deadletters", command, *arguments, servers)

    return letters


@pytest.fixture
def listed(letters, topic):
    def listed(*filters):
        result = letters("list", topic, "--json", *filters)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return listed


@pytest.fixture
def start(processes, tmp_path):
    refused = tmp_path / "refused"
    refused.write_text(" ".join(REFUSED))
    return functools.partial(
        processes.start, "--processes=2", app="refusing_app:app", REFUSED=str(refused)
    )


def publish_numbers(kafka, topic, start, stop):
    publish(kafka, topic, [(key.encode(), b"%d" % n) for n in range(start, stop) for key in KEYS])


def kill_all(worker):
    for pid in (*worker.children(), worker.pid):
        psutil.Process(pid).kill()
    worker.wait()


def test_keys_stay_parked_through_kills_and_are_replayed_in_order(
    kafka, topic, group, processes, start, letters, listed, tmp_path
):
    worker = start()
    publish_numbers(kafka, topic, 0, 5)
    wait_until(lambda: len(processes.journal.ended()) == 9 * 5 + 3 * 2, 30, "others are handled")
    wait_until(lambda: len(listed()) == 9, 30, "three keys are parked")
    kill_all(worker)
    publish_numbers(kafka, topic, 5, 8)

    assert {(one["key"], one["state"]) for one in listed("--error", "refused")} == {
        (key, "dead") for key in REFUSED
    }
    assert {one["state"] for one in listed("--key", REFUSED[0])} == {"dead", "parked"}
    (head,) = listed("--key", REFUSED[0], "--error=refused")
    shown = letters("show", topic, f"{head['partition']}/{head['offset']}")
    assert "error      eventstream.errors.Permanent: refused" in shown.stdout
    assert f"group      {group}" in shown.stdout
    dry = letters("replay", topic, "--key", REFUSED[0], "--dry-run")
    assert dry.stdout.endswith("3 letters would be replayed.\n")
    assert {one["state"] for one in listed()} == {"dead", "parked"}

    (tmp_path / "refused").write_text("")
    asked = letters("replay", topic, "--no-wait")
    assert (asked.returncode, asked.stdout[-26:]) == (0, "9 letters to be replayed.\n")
    assert {one["state"] for one in listed()} == {"replaying"}
    worker = start()
    wait_until(lambda: len(processes.journal.ended()) == 12 * 8, 60, "all is handled")
    assert processes.journal.ended().total() <= 12 * 8 + 12 * 5, "repeats are of the kill only"
    wait_until(lambda: not listed(), 30, "nothing is left")
    for key in REFUSED:
        numbers = [one.offset for one in processes.journal.entries() if one.key == key]
        assert numbers[::2] == sorted(numbers[::2]), "each key in order, event by event"


def test_a_replay_is_waited_for_and_says_what_failed(
    kafka, topic, group, processes, start, letters, listed
):
    worker = start()
    publish_numbers(kafka, topic, 0, 4)
    wait_until(lambda: len(processes.journal.ended()) == 9 * 4 + 3 * 2, 30, "others are handled")
    wait_until(lambda: len(listed()) == 6, 30, "three keys are parked")
    replayed = letters("replay", topic, "--key", REFUSED[1])
    assert (replayed.returncode, replayed.stdout) == (1, "0 replayed, 2 failed again.\n")
    discarded = letters("discard", topic, "--error=refused", "--json")
    assert len(json.loads(discarded.stdout)) == 3
    replayed = letters("replay", topic, "--json")
    assert json.loads(replayed.stdout) == {"replayed": 3, "failed": 0}
    assert replayed.returncode == 0
    assert letters("list", topic).stdout == f"Topic {topic!r} has no such letters.\n"

    publish(kafka, topic, [(REFUSED[2].encode(), b"2")])
    wait_until(lambda: len(listed()) == 1, 20, "there is a letter")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    replayed = letters("replay", topic)
    assert f"No worker of group {group!r} runs; the replay begins when one does." in replayed.stderr
    assert replayed.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "TOPIC", "0/9"], "has no letter of 0/9; `deadletters list` has all."),
        (["list", "TOPIC", "--at=nine"], "'nine' is no place of an event; write PARTITION/OFFSET"),
        (["list", "TOPIC", "--since=soon"], "'soon' is no place to start"),
        (["discard", "TOPIC"], "Say which letters to discard, or --all."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(letters, topic, arguments, sentence):
    result = letters(*(topic if one == "TOPIC" else one for one in arguments))
    assert (result.returncode, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_topic_without_letters_has_none(letters, topic):
    result = letters("replay", topic)
    assert (result.returncode, result.stdout) == (0, "0 letters would be replayed.\n")
