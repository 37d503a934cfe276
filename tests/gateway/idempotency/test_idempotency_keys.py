"""The field's syntax, and which requests are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.contract import Record
from eventstream.gateway.idempotency.keys import fingerprint, parse_key, quote, scoped_id
from eventstream.gateway.idempotency.marks import HEADER, Mark, marked, read_mark
from eventstream.gateway.problems import Rejected

keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255).map(
    str.encode
)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'"8e03978e-40d5-43e8-bc93-6894a57f9324"', b"8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (b"8e03978e-40d5-43e8-bc93-6894a57f9324", b"8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (rb'"a \"b\" \\ c"', rb'a "b" \ c'),
        (b'  "k"  ', b"k"),
        (b'"k";a;b=1;c="x";d=?1;e=:aGk=:;f=tok/en', b"k"),
        (b'"k"; a=-1.5', b"k"),
        (b"order:17/retry=a+b", b"order:17/retry=a+b"),
    ],
)
def test_a_key_is_read_quoted_or_bare(value, key):
    assert parse_key([value]) == key


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b'""'],
        [b'"unfinished'],
        [b'"a" "b"'],
        [b'"a", "b"'],
        [b"a,b"],
        [b"a;b"],
        [b"two words"],
        [rb'"bad \escape"'],
        ['"ü"'.encode()],
        [b'"tab\t"'],
        [b'"a";=1'],
        [b'"a";B=1'],
        [b'"' + 256 * b"a" + b'"'],
        [b'"a"', b'"a"'],
        [b'"a"\n'],
    ],
)
def test_a_malformed_field_is_refused_with_400(values):
    with pytest.raises(Rejected) as caught:
        parse_key(values)
    assert caught.value.problem.status == 400
    assert caught.value.problem.name == "invalid-idempotency-key"


@given(keys)
def test_what_is_quoted_is_read_back(key):
    assert parse_key([quote(key)]) == key


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(value):
    try:
        assert 0 < len(parse_key([value])) <= 255
    except Rejected as rejected:
        assert rejected.problem.status == 400  # noqa: PT017 - either end is right


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_only_the_same_parts_have_the_same_fingerprint(one, other):
    assert (fingerprint(*one) == fingerprint(*other)) == (one == other)


def test_callers_topics_and_routes_have_keys_of_their_own():
    ids = {
        scoped_id(caller, topic, route, b"k")
        for caller in ("", "a", "b")
        for topic in ("orders", "events")
        for route in ("publish", "v3")
    }
    assert len(ids) == 12
    assert all(len(each) == 32 for each in ids)


@given(keys, st.binary(min_size=16, max_size=16), st.integers(0, 999_999))
def test_a_record_s_mark_is_read_back_whatever_the_key_is(key, mark, number):
    record = marked(Record(b"v", headers=(("own", b"1"),)), key, Mark(mark, number))
    assert record.headers[0] == ("own", b"1")
    name, value = record.headers[-1]
    assert name == HEADER
    assert read_mark(value) == Mark(mark, number)


@given(st.none() | st.binary(max_size=100))
def test_a_foreign_header_has_no_mark(value):
    assert read_mark(value) is None
