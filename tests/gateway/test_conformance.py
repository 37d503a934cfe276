"""One suite for both lanes: what they answer, and that nobody can tell them apart."""

import gzip
import json
import re

import pytest
from backports import zstd
from http_bytes import Client, body, exchange, request, status

from records import read_log, read_records

MISSING = "no-such-topic"


CLOUDEVENT, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
V2_JSON = "application/vnd.kafka.json.v2+json"
V2_BINARY = "application/vnd.kafka.binary.v2+json"
V3 = "/v3/clusters/c/topics/{topic}/records"
EVENT = {
    "ce_specversion": "1.0",
    "ce_id": "1",
    "ce_source": "/shop",
    "ce_type": "sold",
    "ce_partitionkey": "user-1",
}
STRUCTURED = (
    b'{"specversion":"1.0","id":"1","source":"/shop","type":"sold","partitionkey":"user-1",'
    b'"data":{"a":1}}'
)

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
    "large body and bad pointer": request(
        "/publish/{topic}?key-from=id", b"", Content_Length="999999999999999990"
    ),
    "two keys": request("/publish/{topic}?key=a", b"1", Event_Key="b"),
    "empty key": request("/publish/{topic}?key=", b"1"),
    "bad percent in key": request("/publish/{topic}?key=%zz", b"1"),
    "key from each event": request("/publish/{topic}?key-from=/id", b'{"id": 7}'),
    "key from each line": request(
        "/publish/{topic}?key-from=/id", b'{"id":"a"}\n{}\n\n{"id":2}\n', "application/x-ndjson"
    ),
    "no key in the event": request("/publish/{topic}?key-from=/id", b'{"id": null}'),
    "bad pointer": request("/publish/{topic}?key-from=id", b"{}"),
    "key from raw bytes": request("/publish/{topic}?key-from=/id", b"{}", "text/plain"),
    "headers": request(
        "/publish/{topic}",
        b"1",
        Event_Header_Tenant="acme",
        Event_Timestamp="2026-01-31T12:00:00Z",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate="vendor=1",
    ),
    "time from the event": request("/publish/{topic}?timestamp-from=/at", b'{"at": 1700000000000}'),
    "no time in the event": request("/publish/{topic}?timestamp-from=/at", b'{"at": "today"}'),
    "bad time": request("/publish/{topic}", b"1", Event_Timestamp="today"),
    "respond async": request("/publish/{topic}", b"1", Prefer="respond-async, wait=10"),
    "lines respond async": request(
        "/publish/{topic}", b"1\n[\n2", "application/x-ndjson", Prefer="respond-async"
    ),
    "gzip": request("/publish/{topic}", gzip.compress(b"[1]"), Content_Encoding="gzip"),
    "gzip lines": request(
        "/publish/{topic}",
        gzip.compress(b"1\n2"),
        "application/x-ndjson",
        Content_Encoding="x-gzip",
    ),
    "zstd": request("/publish/{topic}", zstd.compress(b"[1]"), Content_Encoding="zstd"),
    "gzip bomb": request(
        "/publish/{topic}", gzip.compress(b" " * 9_000_000), Content_Encoding="gzip"
    ),
    "not gzip": request("/publish/{topic}", b"[1]", Content_Encoding="gzip"),
    "brotli": request("/publish/{topic}", b"[1]", Content_Encoding="br"),
    "two credentials": request("/publish/{topic}", b"1", Authorization="Bearer a", X_Api_Key="b"),
    "cloudevent, binary": request("/publish/{topic}", b'{"a":1}', **EVENT),
    "cloudevent, binary, raw": request(
        "/publish/{topic}", b"\xff", "application/octet-stream", ce_subject="%C3%A9", **EVENT
    ),
    "cloudevent, structured": request("/publish/{topic}", STRUCTURED, CLOUDEVENT),
    "cloudevent, structured, key given": request(
        "/publish/{topic}", STRUCTURED, CLOUDEVENT, Event_Key="k", Event_Header_Tenant="acme"
    ),
    "cloudevents, batched": request(
        "/publish/{topic}", b"[%b,%b]" % (STRUCTURED, STRUCTURED), BATCH
    ),
    "cloudevents, none": request("/publish/{topic}", b"[]", BATCH),
    "cloudevents, one invalid": request("/publish/{topic}", b"[%b,{}]" % STRUCTURED, BATCH),
    "cloudevent of no type": request("/publish/{topic}", b"1", ce_id="1", ce_specversion="1.0"),
    "cloudevent in avro": request("/publish/{topic}", b"1", "application/cloudevents+avro"),
    "cloudevent, header twice": request("/publish/{topic}", b"1", Event_Header_ce_id="2", **EVENT),
    "v2 json": request(
        "/topics/{topic}",
        b'{"records":[{"key":"k","value":{"a":1}},{"value":null},{"value":1,"partition":9}]}',
        V2_JSON,
    ),
    "v2 binary to a partition": request(
        "/topics/{topic}/partitions/0", b'{"records":[{"key":"aw==","value":"/w=="}]}', V2_BINARY
    ),
    "v2 with headers": request(
        "/topics/{topic}",
        b'{"records":[{"value":1,"timestamp":1700000000000,'
        b'"headers":[{"key":"a","value":"MQ=="},{"key":"a","value":"Mg=="}]}]}',
        V2_JSON,
    ),
    "v2 bad base64": request("/topics/{topic}", b'{"records":[{"value":"!"}]}', V2_BINARY),
    "v2 no records": request("/topics/{topic}", b'{"records":[]}', V2_JSON),
    "v2 avro": request("/topics/{topic}", b"{}", "application/vnd.kafka.avro.v2+json"),
    "v2 unknown topic": request(f"/topics/{MISSING}", b'{"records":[{"value":1}]}', V2_JSON),
    "v2 no partition": request("/topics/{topic}/partitions/x", b"{}", V2_JSON),
    "v3 string": request(V3, b'{"value":{"type":"STRING","data":"a"}}'),
    "v3 full": request(
        V3,
        b'{"partition_id":0,"headers":[{"name":"h","value":"MQ=="}],'
        b'"key":{"type":"JSON","data":{"k":1}},"value":{"type":"BINARY","data":"/w=="},'
        b'"timestamp":"2026-01-31T12:00:00Z"}',
    ),
    "v3 several": request(V3, b'{"value":{"type":"JSON","data":1}}{"value":{"type":"JSON"}} nope'),
    "v3 avro": request(V3, b'{"value":{"type":"AVRO","data":1}}'),
    "v3 empty": request(V3, b""),
    "v3 unknown topic": request(
        f"/v3/clusters/c/topics/{MISSING}/records", b'{"value":{"type":"JSON","data":1}}'
    ),
    "v3 batch": request(
        V3 + ":batch",
        b'{"entries":[{"id":"1","value":{"type":"JSON","data":1}},'
        b'{"id":"2","value":{"type":"AVRO","data":1}}]}',
    ),
    "v3 batch, id twice": request(V3 + ":batch", b'{"entries":[{"id":"1"},{"id":"1"}]}'),
    "once": request("/publish/{topic}", b"1", Idempotency_Key='"{topic}"'),
    "once, bad key": request("/publish/{topic}", b"1", Idempotency_Key='"a'),
    "connection close": request("/publish/{topic}", b"1", Connection="close"),
    "get": request("/publish/{topic}", method="GET", content_type=None),
    "elsewhere": request("/nothing", b"1"),
    "deeper": request("/publish/{topic}/x", b"1"),
    "alive": request("/healthz", method="GET", content_type=None),
}


def normal(answer, topic):
    """Leave out what differs between two requests: the time, the topic and the offsets."""
    answer = answer.replace(topic, b"<topic>")
    answer = without_date(answer)
    answer = re.sub(rb"content-length: \d+", b"content-length: <length>", answer)
    answer = re.sub(rb'"timestamp":"[^"]+"', b'"timestamp":"<time>"', answer)
    return re.sub(rb'(offset":)\d+', rb"\g<1>0", answer)


def without_date(answer):
    return re.sub(rb"date: [^\r]+ GMT", b"date: <date>", answer)


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
        ("no key in the event", 422, "no-key"),
        ("bad pointer", 400, "invalid-key-from"),
        ("key from raw bytes", 400, "invalid-key-from"),
        ("no time in the event", 422, "no-timestamp"),
        ("bad time", 400, "invalid-timestamp"),
        ("gzip bomb", 413, "body-too-large"),
        ("not gzip", 400, "invalid-encoding"),
        ("brotli", 415, "unsupported-encoding"),
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


def test_what_a_request_says_of_its_events_is_on_the_record(gateway, kafka, topic):
    names = ("key from each event", "key from each line", "headers", "time from the event")
    for name in names:
        answer = exchange(gateway.address, REQUESTS[name].replace(b"{topic}", topic.encode()))
        assert status(answer) == (207 if name == "key from each line" else 200)
    one, line_1, line_4, full, timed = read_records(kafka, topic)
    assert [record.key() for record in (one, line_1, line_4)] == [b"7", b"a", b"2"]
    assert full.headers() == [
        ("tenant", b"acme"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", b"vendor=1"),
    ]
    assert full.timestamp()[1] == 1769860800000
    assert timed.timestamp()[1] == 1700000000000


def send(gateway, topic, *names):
    for name in names:
        answer = exchange(gateway.address, REQUESTS[name].replace(b"{topic}", topic.encode()))
        assert status(answer) == 200, answer


def test_cloudevents_are_written_in_the_kafka_bindings_binary_mode(gateway, kafka, topic):
    names = ("cloudevent, binary", "cloudevent, structured", "cloudevents, batched")
    send(gateway, topic, *names)
    records = read_records(kafka, topic)
    assert len(records) == 4
    for record in records:
        assert (record.key(), record.value()) == (b"user-1", b'{"a":1}')
        headers = dict(record.headers())
        assert headers.pop("content-type") == b"application/json"
        assert headers == {
            "ce_specversion": b"1.0",
            "ce_id": b"1",
            "ce_source": b"/shop",
            "ce_type": b"sold",
            "ce_partitionkey": b"user-1",
        }


def test_rest_proxy_records_are_written_as_confluents_proxy_would(gateway, kafka, topic):
    send(gateway, topic, "v2 json", "v2 binary to a partition", "v2 with headers")
    send(gateway, topic, "v3 string", "v3 full")
    records = read_records(kafka, topic)
    assert [(record.key(), record.value()) for record in records] == [
        (b'"k"', b'{"a":1}'),
        (None, None),
        (b"k", b"\xff"),
        (None, b"1"),
        (None, b"a"),
        (b'{"k":1}', b"\xff"),
    ]
    assert records[3].headers() == [("a", b"1"), ("a", b"2")]
    assert records[3].timestamp()[1] == 1700000000000
    assert records[5].headers() == [("h", b"1")]
    assert records[5].timestamp()[1] == 1769860800000


def test_a_repeated_request_is_answered_as_the_first_time(gateway, kafka, topic):
    once = REQUESTS["once"].replace(b"{topic}", topic.encode())
    with Client(gateway.address) as client:
        client.send(once)
        first = client.answer()
        client.send(once)
        again = client.answer()
        client.send(once.replace(b"\r\n\r\n1", b"\r\n\r\n2"))
        other = client.answer()
    assert b"idempotency-scope: process\r\n" in first
    replayed = again.replace(b"idempotent-replayed: true\r\n", b"")
    assert without_date(replayed) == without_date(first)
    assert b"idempotent-replayed: true\r\n" in again
    assert (status(first), status(other)) == (200, 422)
    assert [value for _, value in read_log(kafka, topic)] == [b"1"]


def test_a_stream_of_records_is_reported_on_while_it_comes(gateway, kafka, topic):
    head = request(V3.replace("{topic}", topic), Transfer_Encoding="chunked")
    record = b'{"value":{"type":"JSON","data":%d}}'
    with Client(gateway.address) as client:
        client.send(head)
        for number in range(3):
            text = record % number
            client.send(b"%x\r\n%b\r\n" % (len(text), text))
            report = client.until(b'"offset":%d' % number)
            assert b'"error_code":200' in report
        client.send(b"0\r\n\r\n")
        client.until(b"0\r\n\r\n")
    assert [value for _, value in read_log(kafka, topic)] == [b"0", b"1", b"2"]


def test_compressed_bodies_are_published_inflated(gateway, kafka, topic):
    for name in ("gzip", "gzip lines", "zstd"):
        answer = exchange(gateway.address, REQUESTS[name].replace(b"{topic}", topic.encode()))
        assert status(answer) == 200
    assert [value for _, value in read_log(kafka, topic)] == [b"[1]", b"1", b"2", b"[1]"]


def test_who_does_not_wait_is_told_that_nothing_is_acknowledged_yet(gateway, kafka, topic):
    with Client(gateway.address) as client:
        client.send(REQUESTS["respond async"].replace(b"{topic}", topic.encode()))
        one = client.answer()
        client.send(REQUESTS["lines respond async"].replace(b"{topic}", topic.encode()))
        lines = client.answer()
        client.send(request(f"/publish/{topic}", b"3"))
        client.answer()
    assert (status(one), status(lines)) == (202, 202)
    assert b"preference-applied: respond-async\r\n" in one
    assert json.loads(body(one)) == {"topic": topic, "durability": "accepted"}
    told = json.loads(body(lines))
    assert (told["accepted"], told["failed"], told["failures"][0]["line"]) == (2, 1, 2)
    assert [value for _, value in read_log(kafka, topic)] == [b"1", b"1", b"2", b"3"]


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


def test_nothing_after_a_refused_request_that_closes_is_taken(gateway, kafka, topic):
    bad = request(f"/publish/{topic}", b"", Connection="close")
    with Client(gateway.address) as client:
        client.send(bad + request(f"/publish/{topic}", b"1"))
        assert status(client.answer()) == 400
        assert client.answer() == b""
    assert read_log(kafka, topic) == []


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
