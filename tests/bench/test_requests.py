"""A load writes each format as its own clients would, and sees which answers acknowledge."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.bench.requests import FORMS, Requests, refusal
from eventstream.bench.workload import read_value, value_of

NUMBERS = st.integers(0, 1 << 20)
SIZES = st.integers(80, 300)


def taken_apart(text):
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("form", FORMS)
@given(NUMBERS, SIZES, st.booleans())
def test_a_request_is_as_long_as_it_says(form, number, size, keyed):
    requests = Requests(FORMS[form], "orders", cluster="c1", api_key="secret")
    value = value_of(number, 5, size)
    first, fields, body = taken_apart(requests.write(number, b"key-1" if keyed else None, value))
    assert first.startswith("POST /")
    assert "orders" in first
    assert first.endswith(" HTTP/1.1")
    assert int(fields["Content-Length"]) == len(body)
    assert fields["Authorization"] == "Bearer secret"
    assert value in body
    assert read_value(value) == (number, 5)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_native_event_has_its_key_in_a_header(form):
    written = Requests(FORMS[form], "orders").write(1, b"key-7", b'{"n":1}')
    first, fields, body = taken_apart(written)
    assert first == "POST /publish/orders HTTP/1.1"
    assert fields["Event-Key"] == "key-7"
    assert "Authorization" not in fields
    assert body == b'{"n":1}'


def test_a_binary_cloudevent_has_its_attributes_in_headers():
    written = Requests(FORMS["cloudevents-binary"], "orders").write(4, b"key-7", b'{"n":4}')
    _, fields, body = taken_apart(written)
    attributes = {name: value for name, value in fields.items() if name.startswith("ce-")}
    assert attributes == {
        "ce-specversion": "1.0",
        "ce-source": "/bench",
        "ce-type": "bench.event",
        "ce-id": "4",
        "ce-partitionkey": "key-7",
    }
    assert body == b'{"n":4}'


def test_a_structured_cloudevent_has_them_beside_the_data():
    written = Requests(FORMS["cloudevents-structured"], "orders").write(4, b"key-7", b'{"n":4}')
    _, fields, body = taken_apart(written)
    assert fields["Content-Type"] == "application/cloudevents+json"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "4",
        "source": "/bench",
        "type": "bench.event",
        "partitionkey": "key-7",
        "datacontenttype": "application/json",
        "data": {"n": 4},
    }


def test_a_rest_proxy_v2_request_has_one_record():
    first, fields, body = taken_apart(
        Requests(FORMS["v2-json"], "orders").write(4, b"key-7", b'{"n":4}')
    )
    assert first == "POST /topics/orders HTTP/1.1"
    assert fields["Content-Type"] == "application/vnd.kafka.json.v2+json"
    assert json.loads(body) == {"records": [{"key": "key-7", "value": {"n": 4}}]}


def test_a_rest_proxy_v3_request_is_one_record_and_names_the_cluster():
    first, _, body = taken_apart(
        Requests(FORMS["v3-json"], "orders", cluster="c1").write(4, b"key-7", b'{"n":4}')
    )
    assert first == "POST /v3/clusters/c1/topics/orders/records HTTP/1.1"
    assert json.loads(body) == {
        "key": {"type": "STRING", "data": "key-7"},
        "value": {"type": "JSON", "data": {"n": 4}},
    }


@pytest.mark.parametrize("form", ["cloudevents-structured", "v2-json", "v3-json"])
def test_without_a_key_a_body_says_nothing_of_one(form):
    _, _, body = taken_apart(Requests(FORMS[form], "orders").write(4, None, b'{"n":4}'))
    assert b"key" not in body
    json.loads(body)


def test_an_answer_other_than_200_acknowledges_nothing():
    said = refusal(FORMS["v2-json"], 404, b'{"error_code":40401,"message":"No such topic."}')
    assert said == 'answered 404: {"error_code":40401,"message":"No such topic."}'


def test_a_record_that_failed_inside_a_200_is_seen():
    v2 = b'{"offsets":[{"partition":null,"offset":null,"error_code":2,"error":"No leader."}]}'
    assert refusal(FORMS["v2-json"], 200, v2) == "answered 200, but its record failed: No leader."
    v3 = b'{"error_code":404,"message":"No topic."}'
    assert refusal(FORMS["v3-json"], 200, v3) == "answered 200, but its record failed: No topic."


def test_a_record_that_was_taken_is_no_refusal():
    v2 = b'{"offsets":[{"partition":0,"offset":7,"error_code":null,"error":null}]}'
    assert refusal(FORMS["v2-json"], 200, v2) is None
    assert refusal(FORMS["v3-json"], 200, b'{"error_code":200,"offset":7}') is None
    assert refusal(FORMS["json"], 200, b'{"topic":"orders","partition":0,"offset":7}') is None
