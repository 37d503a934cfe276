"""One suite for both lanes: what they answer, and that nobody can tell them apart."""

import json
import re

import pytest
from http_bytes import Client, body, exchange, request, status

from records import read_log

MISSING = "no-such-topic"


REQUESTS = {
    "json": request("/publish/{topic}", b'{"message": "Hello, Kafka!"}'),
    "json with spaces": request("/publish/{topic}", b' {"a" : [1, 2] } \n'),
    "json in utf-8": request("/publish/{topic}", '"é"'.encode(), "application/json; charset=utf-8"),
    "key in header": request("/publish/{topic}", b"1", Event_Key="user-1"),
    "key in query": request("/publish/{topic}?key=user%201", b"1"),
    "raw": request("/publish/{topic}", b"\x00\xff", "application/octet-stream"),
    "raw and empty": request("/publish/{topic}", b"", "text/plain"),
    "no content type": request("/publish/{topic}", b"x", None),
    "ndjson": request("/publish/{topic}", b'{"a":1}\n{"b":2}\n', "application/x-ndjson"),
    "ndjson with bad lines": request(
        "/publish/{topic}", b'{"a":1}\nnope\n\n{"b":2}\n[', "application/x-ndjson"
    ),
    "ndjson all bad": request("/publish/{topic}", b"nope\n[", "application/x-ndjson"),
    "ndjson empty": request("/publish/{topic}", b"", "application/x-ndjson"),
    "ndjson with a large line": request(
        "/publish/{topic}", b'1\n"' + b"x" * 100_001 + b'"\n', "application/x-ndjson"
    ),
    "bad json": request("/publish/{topic}", b'{"a":'),
    "empty json": request("/publish/{topic}", b""),
    "not utf-8": request("/publish/{topic}", b'"\xff"'),
    "unknown topic": request(f"/publish/{MISSING}", b"1"),
    "invalid topic": request("/publish/a%20b", b"1"),
    "internal topic": request("/publish/__consumer_offsets", b"1"),
    "large record": request("/publish/{topic}", b"x" * 100_001, "text/plain"),
    "record too large with its key": request(
        "/publish/{topic}", b"x" * 99_999, "text/plain", Event_Key="ab"
    ),
    "large body": request("/publish/{topic}", b"x" * 300_001, "text/plain"),
    "two keys": request("/publish/{topic}?key=a", b"1", Event_Key="b"),
    "empty key": request("/publish/{topic}?key=", b"1"),
    "bad percent in key": request("/publish/{topic}?key=%zz", b"1"),
    "connection close": request("/publish/{topic}", b"1", Connection="close"),
    "get": request("/publish/{topic}", method="GET", content_type=None),
    "elsewhere": request("/nothing", b"1"),
    "deeper": request("/publish/{topic}/x", b"1"),
    "alive": request("/healthz", method="GET", content_type=None),
}


def normal(answer, topic):
    """Leave out what differs between two requests: the time, the topic and the offsets."""
    answer = answer.replace(topic, b"<topic>")
    answer = re.sub(rb"date: [^\r]+ GMT", b"date: <date>", answer)
    answer = re.sub(rb"content-length: \d+", b"content-length: <length>", answer)
    return re.sub(rb'(offset":)\d+', rb"\g<1>0", answer)


@pytest.mark.parametrize("name", REQUESTS)
def test_both_lanes_answer_byte_for_byte_alike(gateways, make_topic, name):
    answers = []
    for lane in ("fast", "asgi"):
        topic = make_topic().encode()
        answer = exchange(gateways[lane].address, REQUESTS[name].replace(b"{topic}", topic))
        answers.append(normal(answer, topic))
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 ")


def test_the_original_call_works(gateway, kafka):
    answer = exchange(gateway.address, request("/publish", b'{"message": "Hello, Kafka!"}'))
    assert status(answer) == 200
    receipt = json.loads(body(answer))
    assert receipt["topic"] == "events"
    assert (None, b'{"message": "Hello, Kafka!"}') in read_log(kafka, "events", 3)


@pytest.mark.parametrize(
    ("name", "expected", "problem"),
    [
        ("bad json", 400, "invalid-json"),
        ("empty json", 400, "invalid-json"),
        ("not utf-8", 400, "invalid-json"),
        ("unknown topic", 404, "unknown-topic"),
        ("invalid topic", 400, "invalid-topic"),
        ("internal topic", 403, "internal-topic"),
        ("large record", 413, "record-too-large"),
        ("record too large with its key", 413, "record-too-large"),
        ("large body", 413, "body-too-large"),
        ("two keys", 400, "invalid-key"),
        ("empty key", 400, "invalid-key"),
        ("bad percent in key", 400, "invalid-key"),
        ("ndjson empty", 400, "no-events"),
        ("ndjson all bad", 400, "invalid-json"),
        ("get", 405, "method-not-allowed"),
        ("elsewhere", 404, "no-such-route"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_written(
    gateway, kafka, topic, name, expected, problem
):
    answer = exchange(gateway.address, REQUESTS[name].replace(b"{topic}", topic.encode()))
    assert status(answer) == expected
    content = json.loads(body(answer))
    assert content["type"] == f"urn:eventstream:problem:{problem}"
    assert content["status"] == expected
    assert b"content-type: application/problem+json" in answer
    assert read_log(kafka, topic) == []


def test_what_was_published_is_in_the_log_as_it_was_sent(gateway, kafka, topic):
    for name in ("json with spaces", "key in header", "key in query", "raw", "raw and empty"):
        answer = exchange(gateway.address, REQUESTS[name].replace(b"{topic}", topic.encode()))
        assert status(answer) == 200
    assert read_log(kafka, topic) == [
        (None, b' {"a" : [1, 2] } \n'),
        (b"user-1", b"1"),
        (b"user 1", b"1"),
        (None, b"\x00\xff"),
        (None, b""),
    ]


def test_each_line_is_answered_for(gateway, kafka, topic):
    data = REQUESTS["ndjson with bad lines"].replace(b"{topic}", topic.encode())
    answer = exchange(gateway.address, data)
    assert status(answer) == 207
    content = json.loads(body(answer))
    assert content["published"] == 2
    assert content["partitions"] == [
        {"partition": 0, "published": 2, "first_offset": 0, "last_offset": 1}
    ]
    assert [failure["line"] for failure in content["failures"]] == [2, 5]
    assert read_log(kafka, topic) == [(None, b'{"a":1}'), (None, b'{"b":2}')]


def test_a_topic_made_a_moment_ago_is_found(gateway, make_topic):
    for _ in range(3):
        answer = exchange(gateway.address, request(f"/publish/{make_topic()}", b"1"))
        assert status(answer) == 200


def test_pipelined_requests_are_answered_in_their_order(gateway, kafka, topic):
    count = 500
    with Client(gateway.address) as client:
        client.send(b"".join(request(f"/publish/{topic}", b"%d" % n) for n in range(count)))
        offsets = [json.loads(body(client.answer()))["offset"] for _ in range(count)]
    assert offsets == list(range(count))
    assert [value for _, value in read_log(kafka, topic)] == [b"%d" % n for n in range(count)]


def test_publishes_and_other_requests_share_a_connection(gateway, topic):
    publish = request(f"/publish/{topic}", b"1")
    health = request("/healthz", method="GET", content_type=None)
    with Client(gateway.address) as client:
        client.send(publish + publish + health + publish)
        statuses = [status(client.answer()) for _ in range(4)]
        client.send(health + publish)
        statuses += [status(client.answer()) for _ in range(2)]
    assert statuses == [200] * 6


def test_a_request_may_arrive_in_any_portions(gateway, kafka, topic):
    data = request(f"/publish/{topic}", b'"' + b"x" * 50 + b'"') * 2
    with Client(gateway.address) as client:
        for place in range(0, len(data), 7):
            client.send(data[place : place + 7])
        assert [status(client.answer()) for _ in range(2)] == [200, 200]
    assert len(read_log(kafka, topic)) == 2


def test_a_chunked_body_is_published(gateway, kafka, topic):
    data = request(
        f"/publish/{topic}", b'5\r\n"abcd\r\n1\r\n"\r\n0\r\n\r\n', Transfer_Encoding="chunked"
    )
    assert status(exchange(gateway.address, data)) == 200
    assert read_log(kafka, topic) == [(None, b'"abcd"')]


def test_nothing_after_connection_close_is_taken(gateway, kafka, topic):
    data = request(f"/publish/{topic}", b"1", Connection="close")
    with Client(gateway.address) as client:
        client.send(data + data)
        assert b"connection: close" in client.answer()
        assert client.answer() == b""
    assert len(read_log(kafka, topic)) == 1


def test_an_endless_head_is_refused(gateways):
    with Client(gateways["fast"].address) as client:
        client.send(b"POST /publish HTTP/1.1\r\nX: " + b"x" * 5000)
        assert status(client.answer()) == 431


@pytest.mark.parametrize(
    "data",
    [
        request("/publish", b"1", Content_Length="1, 1"),
        request("/publish", b"1", Content_Length="-1"),
        request("/publish", b"0\r\n\r\n", Content_Length="5", Transfer_Encoding="chunked"),
        b"POST /publish HTTP/1.1\nHost: x\nContent-Length: 1\n\n1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_a_malformed_request_is_refused_by_both_lanes(gateway, data):
    assert status(exchange(gateway.address, data)) == 400
