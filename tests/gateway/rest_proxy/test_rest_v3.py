"""v3 produce of a whole body: its records, and the report of each."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from to_a_topic import To

from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.formats.rest_proxy.produce_v3 import RecordsV3
from eventstream.gateway.formats.rest_proxy.reports import instant
from eventstream.gateway.problems import Problem, Rejected

V3 = RecordsV3("cluster-1")


def batch(*requests):
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in requests]
    return V3.decode(To(), b"".join(texts))


def record(request):
    (found,) = batch(request).records
    return found


def reports(taken, outcomes):
    answer = taken.answer(outcomes)
    assert answer.status == 200
    assert dict(answer.fields)[b"content-type"] == b"application/json"
    *lines, rest = answer.body.split(b"\r\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


def report_of(request):
    """Report a record that never gets to Kafka."""
    taken = batch(request)
    (problem,) = taken.records
    assert isinstance(problem, Problem)
    (told,) = reports(taken, taken.records)
    return told


def test_the_example_of_the_openapi_document_is_reported_as_there():
    taken = batch(
        {
            "partition_id": 1,
            "headers": [
                {"name": "Header-1", "value": "SGVhZGVyLTE="},
                {"name": "Header-2", "value": "SGVhZGVyLTI="},
            ],
            "key": {"type": "BINARY", "data": "Zm9vYmFy"},
            "value": {"type": "JSON", "data": {"foo": "bar"}},
            "timestamp": "2021-02-05T19:14:42Z",
        }
    )
    headers = (("Header-1", b"Header-1"), ("Header-2", b"Header-2"))
    assert taken.records == [Record(b'{"foo":"bar"}', b"foobar", headers, 1, 1612552482000)]
    assert reports(taken, [Placed(1, 0, 1612552482000)]) == [
        {
            "error_code": 200,
            "cluster_id": "cluster-1",
            "topic_name": "orders",
            "partition_id": 1,
            "offset": 0,
            "timestamp": "2021-02-05T19:14:42Z",
            "key": {"type": "BINARY", "size": 6},
            "value": {"type": "JSON", "size": 13},
        }
    ]


@given(st.binary(), st.text())
def test_binary_and_string_are_taken_as_they_were_sent(key, value):
    value = value.encode("utf-8", "ignore").decode()
    sent = {
        "key": {"type": "BINARY", "data": base64.b64encode(key).decode()},
        "value": {"type": "STRING", "data": value},
    }
    taken = V3.decode(To(), json.dumps(sent, ensure_ascii=False).encode())
    assert taken.records == [Record(value.encode(), key)]
    assert record(sent) == Record(value.encode(), key)
    (told,) = reports(taken, [Placed(0, 0, 1)])
    assert told["key"]["size"] == len(key)
    assert told["value"]["size"] == len(value.encode())


@pytest.mark.parametrize("kind", ["BINARY", "JSON", "STRING"])
@pytest.mark.parametrize("data", [{"data": None}, {}])
def test_data_that_is_null_or_absent_is_null_in_the_log(kind, data):
    taken = batch({"key": {"type": kind, **data}, "value": {"type": kind, **data}})
    assert taken.records == [Record(None, None)]
    (told,) = reports(taken, [Placed(0, 7, 1)])
    assert told["offset"] == 7
    assert told["key"] == told["value"] == {"type": kind, "size": -1}


def test_a_record_of_nothing_is_a_tombstone_without_a_key():
    taken = batch({})
    assert taken.records == [Record(None, None)]
    (told,) = reports(taken, [Placed(0, 7, 1)])
    assert set(told) == {
        "error_code",
        "cluster_id",
        "topic_name",
        "partition_id",
        "offset",
        "timestamp",
    }


def test_headers_keep_their_order_and_their_duplicates():
    headers = [
        {"name": "b", "value": "MQ=="},
        {"name": "a", "value": "Mg=="},
        {"name": "b", "value": "Mw=="},
        {"name": "b"},
        {"name": "", "value": ""},
    ]
    expected = (("b", b"1"), ("a", b"2"), ("b", b"3"), ("b", None), ("", b""))
    assert record({"headers": headers}).headers == expected


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2021-02-05T19:14:42Z", 1612552482000),
        ("2021-02-05T19:14:42.5Z", 1612552482500),
        ("2021-02-05T19:14:42.123456Z", 1612552482123),
        ("2021-02-05T20:14:42+01:00", 1612552482000),
        (None, 0),
    ],
)
def test_a_timestamp_is_the_time_of_the_record(text, milliseconds):
    assert record({"timestamp": text}).timestamp_ms == milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1612552482000, b"2021-02-05T19:14:42Z"),
        (1612552482120, b"2021-02-05T19:14:42.120Z"),
        (1, b"1970-01-01T00:00:00.001Z"),
        (253402300799999, b"9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_written_with_milliseconds_only_where_there_are_some(milliseconds, text):
    assert instant(milliseconds) == text


def test_a_time_that_nobody_knows_is_not_told():
    (told,) = reports(batch({}), [Placed(0, 7, -1)])
    assert "timestamp" not in told


@pytest.mark.parametrize(
    "request_",
    [
        {"value": {"type": "BINARY", "data": 1}},
        {"value": {"type": "BINARY", "data": "fooba"}},
        {"key": {"type": "STRING", "data": 1}},
        {"headers": [{"name": "a", "value": "!"}]},
        {"headers": [{"value": "YQ=="}]},
        {"headers": {"a": "YQ=="}},
        {"timestamp": "yesterday"},
        {"timestamp": 1612552482},
        {"timestamp": "2021-02-05T19:14:42"},
        {"timestamp": "1970-01-01T00:00:00Z"},
        {"timestamp": "1969-12-31T23:59:59Z"},
        {"partition_id": "1"},
        {"partition_id": 2147483648},
        {"value": {"type": "XML", "data": "x"}},
        {"value": {"type": "BINARY", "data": "YQ==", "schema_id": 1}},
        {"value": {"type": "STRING", "data": "a", "subject": "b"}},
        {"value": "x"},
        {"records": {"subject": "foobar"}},
        [{"value": {"type": "STRING", "data": "a"}}],
    ],
)
def test_a_record_that_is_none_is_reported_as_a_bad_request_within_a_200(request_):
    told = report_of(request_)
    assert told["error_code"] == 400
    assert set(told) == {"error_code", "message"}
    assert told["message"].endswith(".")


@pytest.mark.parametrize(
    "data",
    [
        {"data": 1000},
        {"schema_id": 1, "data": 1000},
        {"schema_version": 1},
        {"type": "AVRO", "schema": '{"type":"string"}', "data": "a"},
        {"type": "JSONSCHEMA", "schema": "{}", "data": {}},
        {"type": "PROTOBUF", "schema": "x", "data": {}},
    ],
)
def test_data_that_needs_a_schema_is_reported_with_what_is_taken_instead(data):
    told = report_of({"value": data})
    assert told["error_code"] == 422
    assert told["message"].startswith("Error: 42206 : Payload error. Schema Registry must be")
    assert '"BINARY", "JSON" or "STRING"' in told["message"]


def test_a_negative_partition_is_not_found():
    told = report_of({"partition_id": -1})
    assert told["error_code"] == 40402


def test_records_one_after_another_are_each_reported_in_order():
    value = {"value": {"type": "STRING", "data": "}{"}}
    taken = batch(value, b"\n", {"partition_id": "x"}, b" ", value)
    good, bad, last = taken.records
    assert good == last == Record(b"}{", None)
    outcomes = [Placed(0, 4, 1000), bad, Placed(2, 9, 1000)]
    assert [told.get("offset", told["error_code"]) for told in reports(taken, outcomes)] == [
        4,
        400,
        9,
    ]


@pytest.mark.parametrize("rest", [b"foobar", b"{", b'{"a":]}', b'{"\xff":1}', b'{"a":1,}'])
def test_json_that_is_broken_ends_the_request_where_it_is(rest):
    taken = batch({}, rest, b"{}")
    good, bad = taken.records
    assert good == Record(None, None)
    assert bad.name == "invalid-json"
    assert reports(taken, [Placed(0, 0, 1), bad])[1]["error_code"] == 400


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_unprocessable(body):
    with pytest.raises(Rejected) as caught:
        V3.decode(To(), body)
    answer = V3.refuse(caught.value.problem)
    assert answer.status == 422
    assert json.loads(answer.body)["error_code"] == 42206


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem(404, "unknown-topic", "no"), 40401),
        (Problem(404, "unknown-partition", "no"), 40402),
        (Problem(403, "not-authorized-in-kafka", "no"), 40301),
        (Problem(413, "record-too-large", "no"), 413),
        (Problem(502, "kafka-failed", "no"), 50002),
        (Problem(504, "outcome-unknown", "no"), 50003),
        (Problem(429, "too-many-requests", "no"), 429),
    ],
)
def test_what_happened_to_a_record_is_its_report(problem, code):
    assert reports(batch({}), [problem]) == [{"error_code": code, "message": "no"}]


def test_the_names_in_a_report_are_json_whatever_the_path_says():
    taken = RecordsV3('a"%d\\').decode(To(), b"{}")
    (told,) = reports(taken, [Placed(0, 0, 1)])
    assert told["cluster_id"] == 'a"%d\\'
