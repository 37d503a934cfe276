"""Records by the Kafka protocol binding, and the Partitioning extension."""

import pytest
from cloudevent_samples import batched, event, headers, structured

from eventstream.gateway.formats.cloudevents import binary
from eventstream.gateway.formats.cloudevents.event import decode

BY_ENCODING = pytest.mark.parametrize(
    "made",
    [
        lambda **attributes: structured(event(**attributes))[1:3],
        lambda **attributes: batched(b"[" + event(**attributes) + b"]")[0][1:3],
        lambda **attributes: binary(headers(**attributes)),
    ],
    ids=["structured", "batched", "binary"],
)


@BY_ENCODING
def test_each_attribute_has_a_header_of_its_own_in_utf_8(made):
    _, record_headers = made(
        subject="a", time="2018-04-05T17:31:00Z", dataschema="urn:x", myext="b", traceparent="c"
    )
    assert dict(record_headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"1",
        "ce_source": b"/s",
        "ce_type": b"t",
        "ce_subject": b"a",
        "ce_time": b"2018-04-05T17:31:00Z",
        "ce_dataschema": b"urn:x",
        "ce_myext": b"b",
        "ce_traceparent": b"c",
    }
    assert len(record_headers) == 9


def test_text_beyond_ascii_is_utf_8_in_every_encoding():
    expected = ("ce_subject", "é😀".encode())
    assert expected in structured(event(subject="é😀")).headers
    assert expected in structured(b'{"subject":"' + "é😀".encode() + b'",' + event()[1:]).headers
    assert expected in binary(headers(subject="%C3%A9%F0%9F%98%80"))[1]


@BY_ENCODING
def test_a_time_stays_as_it_is_written(made):
    written = "2018-04-05t17:31:00.1234567890+02:00"
    assert ("ce_time", written.encode()) in made(time=written)[1]


@BY_ENCODING
def test_the_partitionkey_is_the_key_and_stays_an_attribute(made):
    key, record_headers = made(partitionkey="user-7")
    assert key == b"user-7"
    assert ("ce_partitionkey", b"user-7") in record_headers


def test_a_partitionkey_beyond_ascii_is_utf_8():
    assert structured(event(partitionkey="é")).key == "é".encode()
    assert binary(headers(partitionkey="%C3%A9"))[0] == "é".encode()


@BY_ENCODING
def test_an_event_without_a_partitionkey_has_no_key_and_gets_no_attribute(made):
    key, record_headers = made()
    assert key is None
    assert "ce_partitionkey" not in dict(record_headers)


@pytest.mark.parametrize("partitionkey", ["user-7", ...])
def test_a_key_of_the_request_is_the_key_and_does_not_change_the_event(partitionkey):
    text = event(partitionkey=partitionkey)
    for record in (structured(text, b"given"), *batched(b"[" + text + b"]", b"given")):
        assert record.key == b"given"
        assert record.headers == structured(text).headers


def test_the_record_has_the_requests_headers_after_the_events_own_and_its_time():
    record = decode(event(), None, (("traceparent", b"x"),), 1234)
    assert record.headers == (*structured(event()).headers, ("traceparent", b"x"))
    assert record.timestamp_ms == 1234
