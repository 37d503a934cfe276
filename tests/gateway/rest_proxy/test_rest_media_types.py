"""Content-Type to format."""

import json

import pytest

from eventstream.gateway.formats.rest_proxy.media_types import check_v3, format_of_v2
from eventstream.gateway.formats.rest_proxy.produce_v2 import BINARY_V2, JSON_V2
from eventstream.gateway.problems import Rejected


@pytest.mark.parametrize(
    ("content_type", "format_"),
    [
        (b"application/vnd.kafka.json.v2+json", JSON_V2),
        (b"Application/VND.kafka.JSON.v2+json; charset=utf-8", JSON_V2),
        (b"application/vnd.kafka.binary.v2+json", BINARY_V2),
        (b"", BINARY_V2),
    ],
)
def test_v2_has_json_and_binary(content_type, format_):
    assert format_of_v2(content_type) is format_


@pytest.mark.parametrize("kind", [b"avro", b"protobuf", b"jsonschema"])
def test_v2_with_schemas_is_refused_with_what_is_taken_instead(kind):
    with pytest.raises(Rejected) as caught:
        format_of_v2(b"application/vnd.kafka.%b.v2+json" % kind)
    answer = JSON_V2.refuse(caught.value.problem)
    told = json.loads(answer.body)
    assert (answer.status, told["error_code"]) == (415, 415)
    assert "schema registry" in told["message"]
    assert "application/vnd.kafka.json.v2+json" in told["message"]


@pytest.mark.parametrize(
    "content_type", [b"application/json", b"application/vnd.kafka.v2+json", b"text/plain"]
)
def test_v2_takes_no_other_media_type(content_type):
    with pytest.raises(Rejected) as caught:
        format_of_v2(content_type)
    assert caught.value.problem.status == 415


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON;charset=UTF-8",
        b'application/json; charset="utf-8"',
        b"application/json;x=y; charset=iso-8859-1",
    ],
)
def test_v3_takes_json(content_type):
    check_v3(content_type)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"", 415),
        (b"text/plain", 415),
        (b"application/x-ndjson", 415),
        (b"application/json; charset=utf-16", 400),
    ],
)
def test_v3_takes_nothing_else(content_type, status):
    with pytest.raises(Rejected) as caught:
        check_v3(content_type)
    assert caught.value.problem.status == status
