"""JSON pointers into texts that stay text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream import pointer

TOKENS = st.text(st.sampled_from('ab0~/é"1 '), max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | TOKENS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOKENS, inner, max_size=3),
    max_leaves=12,
)


def places(value, here=()):
    """List every pointer into a value, and what stands there."""
    yield here, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*here, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*here, str(number)))


@given(VALUES, st.sampled_from([None, 2]))
def test_every_value_is_found_at_its_pointer(value, indent):
    text = json.dumps(value, indent=indent).encode()
    for place, expected in places(value):
        assert pointer.parse(pointer.write(place)) == place
        assert json.loads(pointer.find(place, text)) == expected


@given(VALUES, st.lists(TOKENS, max_size=3))
def test_where_nothing_stands_nothing_is_found(value, tokens):
    if tuple(tokens) not in dict(places(value)):
        assert pointer.find(tuple(tokens), json.dumps(value).encode()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # RFC 6901, section 5
        ("", ()),
        ("/foo", ("foo",)),
        ("/foo/0", ("foo", "0")),
        ("/", ("",)),
        ("/a~1b", ("a/b",)),
        ("/m~0n", ("m~n",)),
        ("/~01", ("~1",)),
        ("foo", None),
        ("/~2", None),
        ("/~", None),
    ],
)
def test_pointers_are_read_as_rfc_6901_has_them(text, expected):
    assert pointer.parse(text) == expected


@pytest.mark.parametrize("token", ["-", "01", "1", "-1", "\N{FULLWIDTH DIGIT ONE}", "99999999999"])
def test_what_is_no_index_finds_nothing_in_an_array(token):
    assert pointer.find((token,), b"[1]") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'"caf\\u00e9"', "café".encode()),
        (b"1.0", b"1.0"),
        (b"-7", b"-7"),
        (b"true", b"true"),
        (b"null", None),
        (b"{}", None),
        (b"[1]", None),
        (b'""', b""),
    ],
)
def test_scalars_become_the_bytes_of_a_key(text, expected):
    assert pointer.scalar(text) == expected


def test_an_escape_beyond_unicode_is_no_key_and_no_name():
    assert pointer.scalar(b'"\\ud800"') is None
    assert pointer.find(("a",), b'{"\\ud800": 1, "a": 2}') is None
