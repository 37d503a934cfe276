"""Bodies to events; every refusal names the thing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats import json_event, ndjson
from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.media_types import format_of
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.problems import Rejected

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/json", JSON),
        (b"Application/JSON; charset=utf-8", JSON),
        (b"application/x-ndjson", NDJSON),
        (b"application/x-www-form-urlencoded", RAW),
        (b"", RAW),
    ],
)
def test_the_media_type_chooses_the_format(content_type, expected):
    assert format_of(content_type) is expected


@given(JSON_VALUES, st.booleans())
def test_json_is_kept_byte_for_byte(value, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        assert json_event.check(body) is not None
    else:
        if b"\\ud" in body:  # a lone surrogate's escape is valid JSON or not, by RFC 8259 §8.2
            return
        assert json_event.value_of(body) is body


@given(st.binary(max_size=60))
def test_only_json_in_utf8_passes(body):
    if json_event.check(body) is None:
        json.loads(body.decode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":01}',
        b"[1,]",
        b"NaN",
        b"1 2",
        b'"\xff"',
        b'{"a":"\xc0\xaf"}',
        b"[" * 99999,
    ],
)
def test_what_is_not_json_is_refused_with_a_reason(body):
    with pytest.raises(Rejected) as refused:
        json_event.value_of(body)
    assert refused.value.problem.status == 400
    assert refused.value.problem.detail.startswith("The body is not JSON: ")


def test_good_lines_pass_and_bad_ones_are_reported_by_number():
    lines = ndjson.split(b'{"a":1}\nnope\n\n[2]\r\n"\xff"\n{"long":"' + b"x" * 50 + b'"}\n3', 40)
    assert lines.values == [b'{"a":1}', b"[2]", b"3"]
    assert list(lines.numbers) == [1, 4, 7]
    assert {number: problem.status for number, problem in lines.problems.items()} == {
        2: 400,
        5: 400,
        6: 413,
    }


@pytest.mark.parametrize("body", [b"", b"\n", b"\n \r\n\n"])
def test_a_body_without_events_is_refused(body):
    with pytest.raises(Rejected, match="no line with an event"):
        ndjson.split(body, 100)


@given(st.lists(JSON_VALUES, min_size=1, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_every_line_becomes_one_event_in_order(values, separator):
    texts = [json.dumps(value).encode() for value in values]
    if any(b"\\ud" in text for text in texts):
        return
    lines = ndjson.split(separator.join(texts), 1_000_000)
    assert lines.values == texts
    assert lines.problems == {}


@given(st.lists(st.sampled_from([b"1", b"{", b"", b" ", b'"a"', b"\r", b"[]\r"]), max_size=9))
def test_every_line_is_answered_for_exactly_once(texts):
    body = b"\n".join(texts)
    expected = {number for number, text in enumerate(texts, 1) if text.strip()}
    try:
        lines = ndjson.split(body, 100)
    except Rejected:
        assert not expected
        return
    assert sorted([*lines.numbers, *lines.problems]) == sorted(expected)
