"""What checking the gateway against its description has found; the same in both lanes."""

import json
import time

import pytest
from http_bytes import body, exchange, request, status

METHODS = {
    "/publish": {"POST"},
    "/topics/events": {"GET", "HEAD", "POST"},
    "/schemas/events": {"DELETE", "GET", "HEAD", "PUT"},
    "/events/events": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/openapi.json": {"GET", "HEAD"},
}


def field(answer, name):
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in head[1:]}[name]


@pytest.mark.parametrize("target", METHODS)
@pytest.mark.parametrize("method", ["PATCH", "OPTIONS"])
def test_a_method_that_is_not_possible_is_told_all_that_are(gateway, target, method):
    answer = exchange(gateway.address, request(target, method=method))
    assert status(answer) == 405
    assert set(field(answer, "allow").split(", ")) == METHODS[target]


@pytest.mark.parametrize(
    "target",
    ["/publish/a%2Fb", "/publish/%2f", "/publish/a%2Fb%20c", "/v3/clusters/c/topics/a%2Fb/records"],
)
def test_an_encoded_slash_is_of_the_topics_name(gateway, target):
    answer = exchange(gateway.address, request(target, b"{}"))
    assert status(answer) == 400
    assert b"cannot be a topic's name" in body(answer)


def test_a_cluster_is_named_in_reports_as_it_is_called(gateway):
    target = "/v3/clusters/caf%C3%A9/topics/events/records"
    report = json.loads(body(exchange(gateway.address, request(target, b"{}"))))
    assert (report["error_code"], report["cluster_id"]) == (200, "café")


def test_a_time_that_kafka_does_not_take_is_the_clients_fault(gateway):
    answer = exchange(gateway.address, request(body=b"1", Event_Timestamp="99999999999999"))
    problem = json.loads(body(answer))
    assert (problem["status"], problem["type"]) == (422, "urn:eventstream:problem:refused-by-kafka")
    assert "message.timestamp.after.max.ms" in problem["detail"]


def test_an_event_beside_one_that_kafka_refused_is_written(gateway):
    times = [time.time_ns() // 1_000_000, 99_999_999_999_999, time.time_ns() // 1_000_000]
    lines = b"".join(b'{"at":%d}\n' % at for at in times)
    target = "/publish?timestamp-from=/at&key=same"
    answer = exchange(gateway.address, request(target, lines, "application/x-ndjson"))
    told = json.loads(body(answer))
    (bad,) = told["failures"]
    assert (bad["line"], bad["status"]) == (2, 422)
    assert told["published"] == 2
