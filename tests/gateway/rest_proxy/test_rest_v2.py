"""v2 produce: what becomes of a request's records, and what its client is told."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from to_a_topic import To

from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.formats.rest_proxy.produce_v2 import BINARY_V2, JSON_V2
from eventstream.gateway.problems import Problem, Rejected


def records(format_, request, route=None):
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return format_.decode(route or To(), body).records


def refused(format_, body):
    with pytest.raises(Rejected) as caught:
        format_.decode(To(), body)
    answer = format_.refuse(caught.value.problem)
    assert dict(answer.fields)[b"content-type"] == b"application/vnd.kafka.v2+json"
    return answer.status, json.loads(answer.body)


def told(outcomes):
    answer = BINARY_V2.decode(To(), b'{"records":[{}]}').answer(outcomes)
    assert dict(answer.fields)[b"content-type"] == b"application/vnd.kafka.v2+json"
    return answer.status, json.loads(answer.body)


def test_json_is_written_without_white_space():
    (record,) = records(JSON_V2, b'{"records": [{"key": {"id": 1}, "value": {"a": [1, "x y"]}}]}')
    assert record == Record(b'{"a":[1,"x y"]}', b'{"id":1}')


def test_a_key_that_is_a_string_keeps_its_quotes():
    (record,) = records(JSON_V2, {"records": [{"key": "alice", "value": 1}]})
    assert (record.key, record.value) == (b'"alice"', b"1")


@pytest.mark.parametrize("format_", [JSON_V2, BINARY_V2])
@pytest.mark.parametrize("record", [{}, {"value": None}, {"key": None, "value": None}])
def test_a_value_that_is_null_or_absent_is_a_tombstone(format_, record):
    assert records(format_, {"records": [record]}) == [Record(None, None)]


def test_a_null_inside_json_is_no_tombstone():
    (record,) = records(JSON_V2, {"records": [{"value": [None]}]})
    assert record.value == b"[null]"


@given(st.binary(), st.binary())
def test_binary_is_taken_as_it_was_encoded(key, value):
    encoded = {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}
    assert records(BINARY_V2, {"records": [encoded]}) == [Record(value, key)]


@pytest.mark.parametrize(
    ("text", "value"), [("Zm8", b"fo"), ("Zg", b"f"), ("", b""), ("+/8=", b"\xfb\xff")]
)
def test_base64_may_lack_its_padding(text, value):
    assert records(BINARY_V2, {"records": [{"value": text}]})[0].value == value


def test_base64_may_have_its_slashes_escaped():
    assert records(BINARY_V2, rb'{"records":[{"value":"+\/8="}]}')[0].value == b"\xfb\xff"


@pytest.mark.parametrize("text", ["fooba", "Zm 9v", "Zm9v!", "Z===g", "é", "-_8="])
def test_what_is_not_base64_refuses_the_request(text):
    body = json.dumps({"records": [{"value": "Zm8="}, {"value": text}]}).encode()
    status, told = refused(BINARY_V2, body)
    assert (status, told["error_code"]) == (400, 400)
    assert "value of records[1] is not valid base64" in told["message"]


@pytest.mark.parametrize("value", [1, True, {"a": 1}, ["Zm8="]])
def test_binary_that_is_not_a_string_refuses_the_request(value):
    body = json.dumps({"records": [{"key": value, "value": "Zm8="}]}).encode()
    status, told = refused(BINARY_V2, body)
    assert (status, told["error_code"]) == (400, 400)
    assert "key of records[0] is not a base64 string" in told["message"]


def test_the_partition_of_a_record_goes_before_that_of_the_path():
    request = {"records": [{"value": 1}, {"value": 2, "partition": 0}]}
    assert [record.partition for record in records(JSON_V2, request, To(partition=7))] == [7, 0]
    assert [record.partition for record in records(JSON_V2, request)] == [-1, 0]


def test_headers_and_timestamp_are_taken_as_strimzi_takes_them():
    headers = [
        {"key": "trace", "value": "YQ=="},
        {"key": "trace", "value": "Yg=="},
        {"key": "empty", "value": None},
    ]
    request = {"records": [{"value": 1, "headers": headers, "timestamp": 1700000000123}]}
    (record,) = records(JSON_V2, request)
    assert record.headers == (("trace", b"a"), ("trace", b"b"), ("empty", None))
    assert record.timestamp_ms == 1700000000123


def test_schema_fields_of_the_request_are_passed_over():
    assert len(records(JSON_V2, {"records": [{"value": 1}], "value_schema_id": 3})) == 1


@pytest.mark.parametrize("body", [b"{}", b'{"records":[]}', b'{"records":null}'])
def test_a_request_without_records_is_unprocessable(body):
    status, told = refused(JSON_V2, body)
    assert (status, told["error_code"]) == (422, 422)


@pytest.mark.parametrize("body", [b'{"records":[{"valeu":1}]}', b'{"recods":[]}'])
def test_an_unknown_field_is_unprocessable(body):
    status, told = refused(JSON_V2, body)
    assert (status, told["error_code"]) == (422, 422)
    assert "unknown field" in told["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"foobar",
        b'{"records":[{"value":1}]',
        b'{"records":[{"value":1}]} x',
        b'{"records":[{"value":"\xff"}]}',
        b'{"records":[{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
        b'{"records":{"value":1}}',
        b'{"records":[null]}',
        b'{"records":[{"value":1,"partition":"0"}]}',
        b'{"records":[{"value":1,"partition":-1}]}',
        b'{"records":[{"value":1,"partition":2147483648}]}',
        b'{"records":[{"value":1,"timestamp":0}]}',
        b'{"records":[{"value":1,"headers":[{"key":"a","value":"!"}]}]}',
        b"[1]",
    ],
)
def test_a_malformed_request_is_a_bad_request(body):
    status, told = refused(JSON_V2, body)
    assert (status, told["error_code"]) == (400, 400)
    assert told["message"].endswith(".")


def test_each_record_is_told_its_place():
    status, answer = told([Placed(0, 10, 5), Placed(2, 3_000_000_000, 5)])
    assert status == 200
    assert answer == {
        "offsets": [
            {"partition": 0, "offset": 10, "error_code": None, "error": None},
            {"partition": 2, "offset": 3_000_000_000, "error_code": None, "error": None},
        ],
        "key_schema_id": None,
        "value_schema_id": None,
    }


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem(404, "unknown-partition", "no"), 40402),
        (Problem(413, "record-too-large", "no"), 50002),
        (Problem(422, "refused-by-kafka", "no"), 50002),
        (Problem(502, "kafka-failed", "no"), 50002),
        (Problem(503, "overloaded", "no"), 50003),
        (Problem(503, "kafka-unavailable", "no"), 50003),
        (Problem(504, "outcome-unknown", "no"), 50003),
        (Problem(422, "some-other", "no"), 422),
    ],
)
def test_what_happened_to_one_record_is_told_in_its_place_within_a_200(problem, code):
    status, answer = told([Placed(0, 10, 5), problem])
    assert status == 200
    assert answer["offsets"][1] == {
        "partition": None,
        "offset": None,
        "error_code": code,
        "error": "no",
    }


def test_a_record_that_kafka_forbids_makes_the_answer_a_403():
    status, answer = told([Placed(0, 1, 5), Problem(403, "not-authorized-in-kafka", "no")])
    assert status == 403
    assert [entry["error_code"] for entry in answer["offsets"]] == [None, 40301]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem(404, "unknown-topic", "There is none."), 40401),
        (Problem(403, "internal-topic", "There is none."), 40301),
        (Problem(400, "invalid-topic", "There is none."), 40002),
        (Problem(413, "body-too-large", "There is none."), 413),
        (Problem(429, "too-many-requests", "There is none."), 429),
    ],
)
def test_a_request_is_refused_with_a_code_and_a_message(problem, code):
    answer = JSON_V2.refuse(problem)
    assert answer.status == problem.status
    assert json.loads(answer.body) == {"error_code": code, "message": "There is none."}


def test_a_refusal_says_when_to_come_back():
    answer = JSON_V2.refuse(Problem(503, "overloaded", "Full.", 3))
    assert dict(answer.fields)[b"retry-after"] == b"3"
    assert json.loads(answer.body)["error_code"] == 50003
