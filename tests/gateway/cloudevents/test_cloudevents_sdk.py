"""Events that the official SDK writes for HTTP are the same when it reads them from Kafka."""

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevent_samples import route
from cloudevents.core.bindings import http, kafka
from cloudevents.core.bindings.kafka import KafkaMessage
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.cloudevents import binary, format_of, is_binary
from eventstream.gateway.formats.cloudevents.syntax import is_string

CORE = {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"}
# A header's value loses the spaces at its ends unless they are percent-encoded, and they are.
TEXTS = st.text(min_size=1, max_size=20).filter(is_string)
URI_PARTS = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=@/", max_size=20)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: name not in {*CORE, "data", "partitionkey"}
)
ZONES = st.just(UTC) | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
JSON_OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
ATTRIBUTES = st.builds(
    lambda required, optional, extensions: {**extensions, **required, **optional},
    st.fixed_dictionaries(
        {
            "specversion": st.just("1.0"),
            "id": TEXTS,
            "type": TEXTS,
            "source": URI_PARTS.map(lambda text: "urn:" + text),
            "time": st.datetimes(timezones=ZONES),
        }
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "subject": TEXTS,
            "partitionkey": TEXTS,
            "dataschema": URI_PARTS.map(lambda text: "x-y:" + text),
        },
    ),
    st.dictionaries(NAMES, st.text(max_size=10).filter(is_string), max_size=3),
)
NUMBERS_AND_FLAGS = st.dictionaries(
    NAMES, st.booleans() | st.integers(-(2**31), 2**31 - 1), max_size=3
)
CONTENTS = (
    st.tuples(st.sampled_from(["application/json", "text/x+json; a=b"]), JSON_OBJECTS)
    | st.tuples(st.just("text/plain"), st.text(max_size=20))
    | st.tuples(st.just("image/png"), st.binary(min_size=1, max_size=20).map(lambda b: b"\xff" + b))
    | st.tuples(st.just(None), JSON_OBJECTS)
)


def written(attributes, content):
    content_type, data = content
    typed = {} if content_type is None else {"datacontenttype": content_type}
    return CloudEvent({**attributes, **typed}, data)


def read(key, headers, value):
    """Read a record with the SDK."""
    assert len(dict(headers)) == len(headers)
    return kafka.from_kafka(KafkaMessage(dict(headers), key, value), JSONFormat())


def canonical(attributes):
    """Write values that are not strings as CloudEvents does (Type System)."""
    spelled = {True: "true", False: "false"}
    return {
        name: value
        if isinstance(value, str | datetime)
        else spelled[value]
        if isinstance(value, bool)
        else str(value)
        for name, value in attributes.items()
    }


def assert_same(found, sent):
    expected = canonical(sent.get_attributes())
    if sent.get_data() is not None and not isinstance(sent.get_data(), bytes):
        expected.setdefault("datacontenttype", "application/json")
    assert found.get_attributes() == expected
    # The SDK reads a value of no bytes as no data.
    assert found.get_data() == (None if sent.get_data() == "" else sent.get_data())


@given(ATTRIBUTES, CONTENTS)
def test_an_event_in_binary_mode_is_the_same_to_the_sdk(attributes, content):
    message = http.to_binary(written(attributes, content), JSONFormat())
    headers = [(name.encode(), text.encode("ascii")) for name, text in message.headers.items()]
    assert is_binary(headers)
    key, record_headers = binary(headers)
    found = read(key, record_headers, message.body)
    direct = http.from_http(message, JSONFormat())
    assert found.get_attributes() == direct.get_attributes()
    assert found.get_data() == direct.get_data()


@given(ATTRIBUTES, NUMBERS_AND_FLAGS, CONTENTS)
def test_an_event_in_structured_mode_is_the_same_to_the_sdk(attributes, more, content):
    sent = written({**more, **attributes}, content)
    message = http.to_structured(sent, JSONFormat())
    chosen = format_of(message.headers["content-type"].encode())
    (record,) = chosen.decode(route(), message.body).records
    assert_same(read(record.key, record.headers, record.value), sent)


@given(st.lists(st.tuples(ATTRIBUTES, NUMBERS_AND_FLAGS, CONTENTS), max_size=4))
def test_an_event_in_batched_mode_is_the_same_to_the_sdk(drawn):
    sent = [written({**more, **attributes}, content) for attributes, more, content in drawn]
    body = b"[" + b",".join(map(JSONFormat().write, sent)) + b"]"
    chosen = format_of(b"application/cloudevents-batch+json; charset=utf-8")
    records = chosen.decode(route(), body).records
    assert len(records) == len(sent)
    for record, one in zip(records, sent, strict=True):
        assert_same(read(record.key, record.headers, record.value), one)


@pytest.mark.parametrize("data", ["text", "1", '{"a":1}', ""])
def test_a_json_string_is_still_a_string_to_the_sdk(data):
    sent = CloudEvent({"source": "/s", "type": "t", "datacontenttype": "application/json"}, data)
    body = http.to_structured(sent, JSONFormat()).body
    (record,) = format_of(b"application/cloudevents+json").decode(route(), body).records
    assert read(record.key, record.headers, record.value).get_data() == data


def test_an_event_without_data_is_one_to_the_sdk():
    sent = CloudEvent({"source": "/s", "type": "t"})
    body = http.to_structured(sent, JSONFormat()).body
    (record,) = format_of(b"application/cloudevents+json").decode(route(), body).records
    assert_same(read(record.key, record.headers, record.value), sent)
