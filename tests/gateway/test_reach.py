"""Kafka out of reach: noticed, answered at once, and over when it is over."""

import contextlib
import json
from time import monotonic

import pytest
from gateways import running_gateway
from http_bytes import Client, body, exchange, request, status

from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings
from records import read_log
from waiting import wait_until

NOTICED_WITHIN_S = 10
AT_ONCE_S = 0.5


@pytest.fixture
def kafka(local_kafka):
    """A broker of the test's own, to be harmed."""
    with local_kafka() as kafka:
        Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)).create_topic("events")
        yield kafka


def publish(gateway, value=b"1"):
    return exchange(gateway.address, request("/publish", value))


def refused(gateway):
    """Whether a publish is refused for Kafka's sake, and at once."""
    began = monotonic()
    answer = exchange(gateway.address, request("/publish", b'"refused"', Prefer="respond-async"))
    at_once = monotonic() - began < AT_ONCE_S
    return status(answer) == 503 and b"kafka-unavailable" in answer and at_once


@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_a_kafka_that_is_gone_is_noticed_and_publishes_are_taken_again_after(kafka, tmp_path, harm):
    with running_gateway(kafka, tmp_path / "gateway", "--delivery-timeout-s=5") as gateway:
        assert status(publish(gateway)) == 200
        getattr(kafka, harm)()
        wait_until(lambda: refused(gateway), NOTICED_WITHIN_S, "Kafka's absence is noticed")
        answer = publish(gateway, b'"refused"')
        assert b"retry-after: 2\r\n" in answer
        assert json.loads(body(answer))["detail"].startswith("Kafka is out of reach")
        if harm == "kill":
            kafka.restart(1)
        else:
            kafka.resume()
        wait_until(lambda: status(publish(gateway, b"2")) == 200, 30, "publishes are taken again")
        values = [value for _, value in read_log(kafka, "events")]
        assert values[0] == b"1"
        assert values[-1] == b"2"
        log = gateway.log.read_text()
    assert log.count("kafka is out of reach") == log.count("kafka answers again") == 1


@pytest.mark.parametrize("lane", ["--fast-lane", "--no-fast-lane"])
def test_requests_whose_topic_is_asked_for_count_in_the_bounds(kafka, tmp_path, lane):
    ask = request("/publish/elsewhere", b"1")
    with (
        running_gateway(kafka, tmp_path / "gateway", "--max-in-flight=10", lane) as gateway,
        contextlib.ExitStack() as stack,
    ):
        assert status(publish(gateway)) == 200
        kafka.pause()
        clients = [stack.enter_context(Client(gateway.address, 30)) for _ in range(30)]
        for client in clients:
            client.send(ask)
        answers = [client.answer() for client in clients]
        assert {status(answer) for answer in answers} == {503}
        assert sum(b"overloaded" in answer for answer in answers) == 20
        kafka.resume()
        wait_until(lambda: status(publish(gateway)) == 200, 30, "room is there again")


def test_a_gateway_that_starts_before_kafka_says_so_and_begins_when_it_is_there(kafka, tmp_path):
    kafka.kill()
    with running_gateway(kafka, tmp_path / "gateway") as gateway:
        wait_until(lambda: refused(gateway), NOTICED_WITHIN_S, "Kafka's absence is noticed")
        kafka.restart(1)
        wait_until(lambda: status(publish(gateway)) == 200, 30, "publishes are taken")
