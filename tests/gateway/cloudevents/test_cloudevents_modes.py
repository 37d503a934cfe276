"""The choice of a mode (HTTP binding, section 3), and the answers of structured mode (3.2)."""

import msgspec
import pytest
from cloudevent_samples import event, headers, problem_of, route

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.formats.cloudevents import format_of, is_binary
from eventstream.gateway.formats.cloudevents.batch import BATCHED
from eventstream.gateway.formats.cloudevents.structured import STRUCTURED
from eventstream.gateway.formats.contract import QUEUED, Placed
from eventstream.gateway.problems import Problem


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/cloudevents+json", STRUCTURED),
        (b"application/cloudevents+json; charset=utf-8", STRUCTURED),
        (b'Application/CloudEvents+JSON;charset="UTF-8"', STRUCTURED),
        (b" application/cloudevents+json ; profile=x", STRUCTURED),
        (b"application/cloudevents-batch+json", BATCHED),
        (b"APPLICATION/CLOUDEVENTS-BATCH+JSON; charset=UTF-8", BATCHED),
        (b"application/json", None),
        (b"application/cloudevent+json", None),
        (b"text/plain; a=application/cloudevents+json", None),
        (b"", None),
    ],
)
def test_the_media_type_chooses_the_mode(content_type, expected):
    assert format_of(content_type) is expected


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+avro",
        b"application/cloudevents+xml",
        b"application/cloudevents-batch+protobuf",
        b"application/cloudevents",
        b"application/cloudevents-batch",
        b"application/cloudevents+json+x",
    ],
)
def test_another_event_format_is_refused(content_type):
    problem = problem_of(format_of, content_type)
    assert problem[:2] == (415, "unsupported-media-type")
    assert content_type.decode() in problem.detail


@pytest.mark.parametrize("charset", [b"iso-8859-1", b'"utf-16"', b"utf-8; charset=latin1", b"utf8"])
def test_another_charset_is_refused(charset):
    problem = problem_of(format_of, b"application/cloudevents+json; charset=" + charset)
    assert problem[:2] == (415, "unsupported-media-type")


def test_the_body_wins_over_headers_of_the_same_event():
    """The owner of a request asks for its media type first: `format_of` knows no headers."""
    fields = [*headers(id="header"), (b"content-type", b"application/cloudevents+json")]
    assert is_binary(fields)
    chosen = format_of(fields[-1][1])
    (record,) = chosen.decode(route(), event(id="body")).records
    assert ("ce_id", b"body") in record.headers


def test_the_answer_is_the_receipt():
    batch = STRUCTURED.decode(route(), event())
    answer = batch.answer([Placed(3, 42, 0)])
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {"topic": "orders", "partition": 3, "offset": 42}


def test_the_answer_of_an_event_in_the_queue_says_that_it_is_accepted():
    answer = STRUCTURED.decode(route(), event()).answer([QUEUED])
    assert answer.status == 202
    assert (b"preference-applied", b"respond-async") in answer.fields
    assert msgspec.json.decode(answer.body) == {"topic": "orders", "durability": "accepted"}


def test_what_kafka_says_and_what_is_refused_are_problem_details():
    problem = Problem(503, "kafka-unavailable", "Away.", retry_after_s=1)
    assert STRUCTURED.decode(route(), event()).answer([problem]) == problem_answer(problem)
    assert STRUCTURED.refuse(problem) == BATCHED.refuse(problem) == problem_answer(problem)
