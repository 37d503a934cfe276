"""The JSON batch format, and batched content mode (HTTP binding, section 3.3)."""

import msgspec
import pytest
from cloudevent_samples import batched, event, problem_of, route

from eventstream.gateway.formats.cloudevents.batch import BATCHED
from eventstream.gateway.formats.contract import QUEUED, Placed
from eventstream.gateway.problems import Problem

AWAY = Problem(503, "kafka-unavailable", "Kafka is away.", retry_after_s=1)
TOO_LARGE = Problem(413, "record-too-large", "The event is too large.")


def batch_of(*events):
    return b"[" + b" ,\n".join(events) + b"]"


def answer(*outcomes):
    batch = BATCHED.decode(route(), batch_of(*[event()] * len(outcomes)))
    answered = batch.answer(outcomes)
    return answered, msgspec.json.decode(answered.body)


def test_events_become_records_in_order():
    records = batched(
        batch_of(
            event(
                id="a", datacontenttype="application/vnd.apache.thrift.binary", data_base64="AA=="
            ),
            event(id="b", time="2018-04-05T17:31:05Z", data={"n": 1}),
            event(id="c", source="/other"),
        )
    )
    assert [dict(record.headers)["ce_id"] for record in records] == [b"a", b"b", b"c"]
    assert [record.value for record in records] == [b"\x00", b'{"n": 1}', None]


def test_a_batch_may_be_empty():
    assert batched(b" [ ] ") == []
    answered, content = answer()
    assert answered.status == 200
    assert content == {"topic": "orders", "published": 0, "events": []}


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        (event(id=...), "Attribute 'id' is missing; every CloudEvent has one."),
        (event(specversion="0.3"), "Attribute 'specversion' must be \"1.0\""),
        (event(time="now"), "Attribute 'time' must be a timestamp"),
        (event()[:-1] + b',"id":"2"}', "The event has a member more than once"),
        (b"1", "What stands where a CloudEvent is expected is not a JSON object."),
        (b"[]", "What stands where a CloudEvent is expected is not a JSON object."),
        (b"null", "What stands where a CloudEvent is expected is not a JSON object."),
    ],
)
@pytest.mark.parametrize("index", [0, 2])
def test_an_invalid_event_refuses_the_batch_and_is_named_by_its_index(bad, detail, index):
    events = [event()] * 3
    events[index] = bad
    problem = problem_of(batched, batch_of(*events))
    assert problem[:2] == (400, "invalid-cloudevent")
    assert problem.detail.startswith(f"Nothing was published. The event at index {index}: {detail}")


@pytest.mark.parametrize("body", [b"{}", b"1", b"null", event()])
def test_a_batch_is_an_array(body):
    problem = problem_of(batched, body)
    assert problem[:2] == (400, "invalid-cloudevent")
    assert problem.detail.endswith("is not a JSON array.")


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[1,]", b"[{]", b'[{"id":"\xff"}]', b"[" * 100_000, b"[] []"]
)
def test_a_batch_is_json(body):
    problem = problem_of(batched, body)
    assert problem[:2] == (400, "invalid-json")
    assert problem.detail.startswith("The body is not JSON: ")


def test_the_answer_places_each_event_in_order():
    answered, content = answer(Placed(1, 7, 0), Placed(0, 3, 0), Placed(1, 8, 0))
    assert answered.status == 200
    assert content == {
        "topic": "orders",
        "published": 3,
        "events": [
            {"partition": 1, "offset": 7},
            {"partition": 0, "offset": 3},
            {"partition": 1, "offset": 8},
        ],
    }


def test_an_answer_with_failures_says_which():
    answered, content = answer(Placed(1, 7, 0), AWAY)
    assert answered.status == 207
    assert (content["published"], content["failed"]) == (1, 1)
    assert content["events"] == [{"partition": 1, "offset": 7}, AWAY.members()]


def test_when_all_fail_the_worst_is_the_answers_status():
    answered, content = answer(TOO_LARGE, AWAY)
    assert answered.status == content["status"] == 503
    assert (b"content-type", b"application/problem+json") in answered.fields
    assert (b"retry-after", b"1") in answered.fields
    assert content["detail"] == "No event of the batch was published. Kafka is away."
    assert (content["published"], content["failed"]) == (0, 2)
    assert content["events"] == [TOO_LARGE.members(), AWAY.members()]


def test_events_in_the_queue_are_accepted():
    answered, content = answer(QUEUED, TOO_LARGE)
    assert answered.status == 202
    assert (b"preference-applied", b"respond-async") in answered.fields
    assert content == {
        "topic": "orders",
        "accepted": 1,
        "failed": 1,
        "events": [{"durability": "accepted"}, TOO_LARGE.members()],
        "durability": "accepted",
    }
