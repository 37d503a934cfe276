"""`eventstream groups` as a user runs it."""

import contextlib
import functools
import json

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from waiting import wait_until


@pytest.fixture
def groups(ask):
    return functools.partial(ask, "groups")


@pytest.fixture
def topic(make_topic):
    """A topic that keeps events however old they are."""
    return make_topic(config={"retention.ms": "-1"})


@pytest.fixture
def group(kafka, topic):
    """A group that has handled 4 of the 10 events of partition 0, which are decades old."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    for number in range(10):
        producer.produce(topic, b"%d" % number, partition=0, timestamp=1000 * (number + 1))
    assert producer.flush(10) == 0
    with joined(kafka, topic) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    return f"group-{topic}"


@contextlib.contextmanager
def joined(kafka, topic):
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": f"group-{topic}",
            "client.id": "somebody",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        wait_until(lambda: consumer.poll(0.1) or consumer.assignment(), 20, "it has partitions")
        yield consumer
    finally:
        consumer.close()


def described(groups, group):
    return json.loads(groups("describe", group, "--json").stdout)


def test_a_group_is_listed_and_described_with_its_lag(groups, group, topic, kafka):
    assert json.loads(groups("list", "--json").stdout)[group] == "empty"
    found = described(groups, group)
    assert (found["state"], found["members"]) == ("empty", [])
    (first,) = found["partitions"]
    assert (first["topic"], first["partition"], first["owner"]) == (topic, 0, "")
    assert (first["committed"], first["end"], first["lag"]) == (4, 10, 6)
    assert first["lag_s"] > 1_000_000_000
    with joined(kafka, topic):
        found = described(groups, group)
        assert found["state"] == "stable"
        assert found["members"] == ["somebody"]
        assert found["partitions"][0]["owner"] == "somebody"
    assert f"{group}: empty, 0 members" in groups("describe", group).stdout


@pytest.mark.parametrize(
    ("target", "offset"),
    [
        ("--to=earliest", 0),
        ("--to=latest", 10),
        ("--to=1970-01-01T00:00:07Z", 6),
        ("--to=1h", 10),
        ("--to-offset=3", 3),
        ("--to-offset=99", 10),
    ],
)
def test_a_group_is_moved_after_a_dry_run(groups, group, topic, target, offset):
    options = ("reset", group, f"--topic={topic}", "--partition=0", target, "--json")
    moves = json.loads(groups(*options, "--dry-run").stdout)
    assert moves == [{"topic": topic, "partition": 0, "committed": 4, "target": offset}]
    assert described(groups, group)["partitions"][0]["committed"] == 4
    assert json.loads(groups(*options).stdout) == moves
    assert described(groups, group)["partitions"][0]["committed"] == offset


def test_a_group_with_members_is_not_moved(groups, group, topic, kafka):
    with joined(kafka, topic):
        result = groups("reset", group, f"--topic={topic}", "--to=earliest")
        assert result.returncode == 1
        assert result.stderr == (
            f"Group {group!r} has members, which would commit over a new position;"
            " stop them first.\n"
        )
        assert described(groups, group)["partitions"][0]["committed"] == 4


def test_what_is_not_there_is_one_sentence(groups, group, topic):
    for arguments, sentence in [
        (("describe", "nobody"), "There is no group 'nobody'"),
        (("reset", group, "--topic=no-such-topic", "--to=latest"), "does not exist"),
        (("reset", group, f"--topic={topic}", "--to=latest", "--partition=77"), "no partition 77"),
        (("reset", group, f"--topic={topic}", "--to=soon"), "'soon' is no place to start"),
        (("reset", group, f"--topic={topic}"), "--to or --to-offset"),
    ]:
        result = groups(*arguments)
        assert result.returncode == 1
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1
