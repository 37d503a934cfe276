"""JSON keys and values, as Confluent's serializer writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.rest_proxy import jackson

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_a_value_says_the_same_in_the_fewest_bytes(value, indent, ascii_only):
    sent = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    written = jackson.value(sent)
    assert json.loads(written) == json.loads(sent)
    assert written == jackson.value(written)
    compact = json.dumps(json.loads(sent), separators=(",", ":"), ensure_ascii=False)
    assert len(written) <= len(compact.encode("utf-8", "replace"))


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_a_key_has_the_same_bytes_however_it_was_written(value, indent, ascii_only):
    plain = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    other = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    assert jackson.key(other) == jackson.key(plain)


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b'"a b"', b'"a b"'),
        (rb'"\u00e9\/"', '"é/"'.encode()),
        (rb'"\u001f\b\u000b"', rb'"\u001F\b\u000B"'),
        (rb'"\\u001f"', rb'"\\u001f"'),
        (b'{"b" : 1, "a" : 2}', b'{"b":1,"a":2}'),
        (b"7", b"7"),
        (b"-0", b"0"),
        (b"12345678901234567890123", b"12345678901234567890123"),
        (b"true", b"true"),
        (b"1.10", b"1.1"),
        (b"[1e5, 1E7]", b"[100000.0,1.0E7]"),
    ],
)
def test_a_key_is_written_as_jackson_does(sent, key):
    assert jackson.key(sent) == key


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.0", "0.0"),
        ("-0.0", "-0.0"),
        ("1e0", "1.0"),
        ("53.4", "53.4"),
        ("100.0", "100.0"),
        ("9999999.0", "9999999.0"),
        ("10000000.0", "1.0E7"),
        ("12345678.9", "1.23456789E7"),
        ("0.001", "0.001"),
        ("0.00099", "9.9E-4"),
        ("-1.5e-10", "-1.5E-10"),
        ("1e22", "1.0E22"),
        ("1.7976931348623157e308", "1.7976931348623157E308"),
        ("1e400", "1e400"),
    ],
)
def test_a_double_is_written_as_java_does(number, text):
    assert jackson.java_double(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_loses_nothing(number):
    assert float(jackson.java_double(repr(number))) == number


@pytest.mark.parametrize("number", ["1.10", "0.1234567890123456789", "1e400", "1E5"])
def test_a_number_in_a_value_keeps_its_digits(number):
    assert jackson.value(f'{{"a": {number}}}'.encode()) == f'{{"a":{number}}}'.encode()
    assert jackson.value(f'["\\n", {number}]'.encode()) == f'["\\n",{number}]'.encode()
