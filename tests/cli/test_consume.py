"""`eventstream consume` as a user runs it."""

import functools
import json
import subprocess

import pytest
from confluent_kafka import Producer

from program import PROGRAM

HELLO = b'{"message": "Hello, Kafka!"}'


@pytest.fixture
def consume(ask):
    return functools.partial(ask, "consume")


@pytest.fixture
def orders(kafka, make_topic):
    """A topic of two partitions with a JSON event, a text, a tombstone and bytes."""
    topic = make_topic(2, config={"retention.ms": "-1"})
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    producer.produce(topic, HELLO, b"a", 0, headers=[("trace", b"1"), ("raw", b"\xff")])
    producer.produce(topic, b"plain text", b"b", 0, timestamp=5000)
    producer.produce(topic, None, b"a", 1)
    producer.produce(topic, b"\xfe\xff", None, 1)
    assert producer.flush(10) == 0
    return topic


def lines(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_event_is_shown_with_all_it_has(consume, orders):
    shown = lines(consume(orders, "--from=earliest", "--until-end", "--json"))
    by_place = {(one["partition"], one["offset"]): one for one in shown}
    assert sorted(by_place) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    first = by_place[0, 0]
    assert (first["key"], first["value"]) == ("a", {"message": "Hello, Kafka!"})
    assert first["headers"] == [
        {"name": "trace", "value": "1"},
        {"name": "raw", "value_base64": "/w=="},
    ]
    assert by_place[0, 1]["value"] == "plain text"
    assert by_place[0, 1]["timestamp_ms"] == 5000
    assert by_place[1, 0]["value"] is None
    assert (by_place[1, 1]["key"], by_place[1, 1]["value_base64"]) == (None, "/v8=")


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--key=a"], {(0, 0), (1, 0)}),
        (["--contains=Hello"], {(0, 0)}),
        (["--partition=1"], {(1, 0), (1, 1)}),
        (["--partition=0", "--count=1"], {(0, 0)}),
    ],
)
def test_filters_leave_events_out(consume, orders, options, places):
    shown = lines(consume(orders, "--from=earliest", "--until-end", "--json", *options))
    assert {(one["partition"], one["offset"]) for one in shown} == places


def test_a_time_to_start_from_leaves_older_events_out(consume, orders):
    shown = lines(consume(orders, "--from=1h", "--until-end", "--json", "--partition=0"))
    assert [one["offset"] for one in shown] == [0, 1]
    shown = lines(consume(orders, "--from=2999-01-01", "--until-end", "--json"))
    assert shown == []


def test_text_shows_time_place_key_and_value(consume, orders):
    result = consume(orders, "--from=earliest", "--until-end", "--partition=0", "--key=b")
    assert result.stdout == "1970-01-01T00:00:05.000Z 0/1 b plain text\n"
    result = consume(orders, "--from=earliest", "--until-end", "--partition=1")
    assert "1/0 a (tombstone)\n" in result.stdout
    assert "1/1 - \\xfe\\xff\n" in result.stdout


def test_the_end_is_found_where_a_transaction_s_marker_stands_last(consume, kafka, topic):
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"1")
    producer.commit_transaction(20)
    shown = lines(consume(topic, "--from=earliest", "--until-end", "--json"))
    assert [one["value"] for one in shown] == [1]


def test_new_events_are_shown_as_they_come(kafka, topic):
    where = f"--bootstrap-servers={kafka.bootstrap_servers}"
    command = [PROGRAM, "consume", topic, "--from=earliest", "--count=2", where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        producer = Producer(
            {"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True}
        )
        for value in (b"one", b"two"):
            producer.produce(topic, value)
            producer.flush(10)
            assert process.stdout.readline().endswith(f"{value.decode()}\n")
        assert process.wait(30) == 0


def test_what_is_not_there_is_one_sentence(consume, topic):
    for arguments, sentence in [
        (("no-such-topic",), "does not exist"),
        ((topic, "--partition=99"), "has no partition 99"),
        ((topic, "--from=yesterday"), "'yesterday' is no place to start"),
    ]:
        result = consume(*arguments)
        assert result.returncode == 1
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1
