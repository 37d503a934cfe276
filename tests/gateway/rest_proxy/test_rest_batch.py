"""v3 batch: what succeeded and what failed, by id."""

import json

import pytest
from to_a_topic import To

from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.formats.rest_proxy.batch_v3 import RecordsBatchV3
from eventstream.gateway.problems import Problem, Rejected

BATCH = RecordsBatchV3("cluster-1")
TEXT = {"value": {"type": "STRING", "data": "hello"}}


def taken(*entries):
    return BATCH.decode(To(), json.dumps({"entries": entries}).encode())


def refused(body):
    with pytest.raises(Rejected) as caught:
        BATCH.decode(To(), body)
    answer = BATCH.refuse(caught.value.problem)
    return answer.status, json.loads(answer.body)["error_code"]


def test_successes_and_failures_are_told_by_id_in_a_207():
    batch = taken(
        {"id": "1", "key": {"type": "BINARY", "data": "YQ=="}, **TEXT},
        {"id": "two", "value": {"type": "BINARY", "data": 1}},
        {"id": "3_-", **TEXT},
        {"id": "4", "value": {"type": "AVRO", "schema": "{}", "data": 1}},
    )
    first, bad, third, schema = batch.records
    assert (first, third) == (Record(b"hello", b"a"), Record(b"hello"))
    outcomes = [Placed(1, 5, 1612552482000), bad, Problem(504, "outcome-unknown", "no"), schema]
    answer = batch.answer(outcomes)
    assert answer.status == 207
    assert dict(answer.fields)[b"content-type"] == b"application/json"
    told = json.loads(answer.body)
    assert told["successes"] == [
        {
            "id": "1",
            "cluster_id": "cluster-1",
            "topic_name": "orders",
            "partition_id": 1,
            "offset": 5,
            "timestamp": "2021-02-05T19:14:42Z",
            "key": {"type": "BINARY", "size": 1},
            "value": {"type": "STRING", "size": 5},
        }
    ]
    assert [(one["id"], one["error_code"]) for one in told["failures"]] == [
        ("two", 400),
        ("3_-", 50003),
        ("4", 422),
    ]
    assert told["failures"][0]["message"].endswith("is not a base64 string: 1.")


def test_all_that_a_record_can_have_an_entry_can_have():
    entry = {
        "id": "1",
        "partition_id": 2,
        "timestamp": "2021-02-05T19:14:42Z",
        "headers": [{"name": "a", "value": "YQ=="}, {"name": "a", "value": "Yg=="}],
        **TEXT,
    }
    headers = (("a", b"a"), ("a", b"b"))
    assert taken(entry).records == [Record(b"hello", None, headers, 2, 1612552482000)]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        None,
        [{"id": "1"}, {"id": "2"}, {"id": "1"}],
        [{"value": None}],
        [{"id": 1}],
        [{"id": None}],
        [{"id": ""}],
        [{"id": "a" * 81}],
        [{"id": "a b"}],
        [{"id": "é"}],
        [{"id": "1\n"}],
        ["x"],
    ],
)
def test_a_batch_that_is_empty_or_whose_ids_are_not_distinct_ids_is_refused(entries):
    assert refused(json.dumps({"entries": entries}).encode()) == (422, 42208)


def test_an_empty_body_is_refused():
    assert refused(b"") == (422, 42208)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"records":[]}', 422),
        (b'{"entries":[{"id":"1"},{"id":"2","valeu":1}]}', 422),
        (b'{"entries":[{"id":"1"},{"id":"2","partition_id":"x"}]}', 400),
        (b'{"entries":{}}', 400),
        (b'{"entries":[{"id":"1"}]', 400),
        (b'{"entries":[{"id":"1"}]}{}', 400),
        (b'{"entries":[{"id":"\xff"}]}', 400),
        (b"[]", 400),
    ],
)
def test_a_batch_of_another_shape_is_refused_as_a_whole(body, status):
    assert refused(body) == (status, status)
