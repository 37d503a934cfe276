"""Whatever a body is, it is records or a refusal."""

import json

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from to_a_topic import To

from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.formats.rest_proxy.batch_v3 import RecordsBatchV3
from eventstream.gateway.formats.rest_proxy.produce_v2 import BINARY_V2, JSON_V2
from eventstream.gateway.formats.rest_proxy.produce_v3 import RecordsV3
from eventstream.gateway.problems import Problem, Rejected

FORMATS = [JSON_V2, BINARY_V2, RecordsV3("c"), RecordsBatchV3("c")]
SAMPLES = [
    b'{"records":[{"key":"a","value":{"b":[1.5,null]},"partition":1,"timestamp":1700000000000}]}',
    b'{"records":[{"key":"YQ==","value":"YQ==","headers":[{"key":"a","value":"YQ=="}]}]}',
    b'{"key":{"type":"BINARY","data":"YQ=="},"value":{"type":"JSON","data":{"a":"\\u00e9"}}}{}',
    b'{"timestamp":"2021-02-05T19:14:42Z","headers":[{"name":"a"}],"partition_id":0}',
    b'{"entries":[{"id":"1","value":{"type":"STRING","data":"a\\n"}},{"id":"2"}]}',
]
PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e999", b"\xff", b"\\ud800"]


@st.composite
def bodies(draw):
    """A good body with bytes taken out, put in and repeated."""
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 8)))
        body = body[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + body[end:]
    return body


@settings(max_examples=500)
@given(st.sampled_from(FORMATS), bodies() | st.binary(max_size=40))
@example(FORMATS[2], b'{"value":{"type":"JSON","data":' + b"[" * 50_000 + b"]" * 50_000 + b"}}")
@example(FORMATS[0], b'{"records":[{"key":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}")
def test_a_body_is_records_or_a_refusal(format_, body):
    try:
        batch = format_.decode(To(), body)
    except Rejected as rejected:
        answer = format_.refuse(rejected.problem)
        assert 400 <= answer.status < 500
        assert json.loads(answer.body)["message"]
        return
    for record in batch.records:
        assert isinstance(record, Record | Problem)
        if isinstance(record, Record):
            assert isinstance(record.value, bytes | None)
            assert isinstance(record.key, bytes | None)
            assert record.partition >= -1
            assert record.timestamp_ms >= 0
    outcomes = [
        Placed(0, 1, 1700000000000) if isinstance(record, Record) else record
        for record in batch.records
    ]
    for report in batch.answer(outcomes).body.split(b"\r\n"):
        assert not report or msgspec.json.decode(report)
