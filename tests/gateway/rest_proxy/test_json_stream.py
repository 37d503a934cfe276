"""Concatenated JSON, taken apart in whatever portions it comes."""

import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.rest_proxy.json_stream import JsonStream
from eventstream.gateway.problems import Rejected

TEXT = st.text(alphabet=st.one_of(st.characters(), st.sampled_from('"\\{}[]\n\r, :')))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
VALUES = st.lists(st.dictionaries(TEXT, JSON, max_size=4) | st.lists(JSON, max_size=4), max_size=6)
SPACE = st.sampled_from(["", " ", "\n", "\r\n", "\t \n"])
LARGE = 10**9


@st.composite
def bodies(draw):
    """Values, the body that has them one after another, and the portions it comes in."""
    ascii_only = draw(st.booleans())
    texts = [
        json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace")
        for value in draw(VALUES)
    ]
    body = draw(SPACE).encode() + b"".join(text + draw(SPACE).encode() for text in texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    edges = [0, *cuts, len(body)]
    return texts, [body[a:b] for a, b in itertools.pairwise(edges)]


def split(portions, limit=LARGE):
    stream = JsonStream(limit)
    found = [text for portion in portions for text in stream.feed(portion)]
    stream.finish()
    return found


@given(bodies())
def test_every_value_comes_out_byte_for_byte_wherever_the_portions_end(body):
    texts, portions = body
    assert split(portions) == texts


@given(bodies())
def test_every_value_comes_out_when_bytes_come_one_by_one(body):
    texts, portions = body
    whole = b"".join(portions)
    assert split([whole[n : n + 1] for n in range(len(whole))]) == texts


@given(bodies())
def test_a_value_comes_out_with_its_last_byte(body):
    texts, _ = body
    stream = JsonStream(LARGE)
    for text in texts:
        assert list(stream.feed(text[:-1])) == []
        assert list(stream.feed(text[-1:])) == [text]


@pytest.mark.parametrize("body", [b'{"a":1', b"[", b'{"a":"}', b'{"a":"\\', b'{"a":"\\"}'])
def test_a_body_that_ends_within_a_value_is_not_json(body):
    with pytest.raises(Rejected) as caught:
        split([body])
    assert caught.value.problem.name == "invalid-json"


@pytest.mark.parametrize("rest", [b"x", b"1", b'"a"', b"}", b",{}", b"\x00", b"\xef\xbb\xbf"])
def test_what_is_no_object_is_refused_after_the_values_before_it(rest):
    stream = JsonStream(LARGE)
    found = []
    with pytest.raises(Rejected) as caught:
        found.extend(stream.feed(b'{"a":1} ' + rest))
    assert found == [b'{"a":1}']
    assert caught.value.problem.status == 400
    assert "Byte 8 " in caught.value.problem.detail


def test_the_place_of_what_is_refused_counts_from_the_beginning_of_the_body():
    with pytest.raises(Rejected) as caught:
        split([b'{"a":1}', b" ", b"{}", b"  x"])
    assert "Byte 12 " in caught.value.problem.detail


@given(bodies(), st.integers(1, 30))
def test_no_value_is_larger_than_the_limit(body, limit):
    texts, portions = body
    if all(len(text) <= limit for text in texts):
        assert split(portions, limit) == texts
    else:
        with pytest.raises(Rejected) as caught:
            split(portions, limit)
        assert caught.value.problem.status == 413


def test_a_value_that_never_ends_is_not_kept_beyond_the_limit():
    stream = JsonStream(1000)
    endless = (text for _ in range(1000) for text in stream.feed(b'{"a":"xxx'))
    with pytest.raises(Rejected):
        list(endless)
    assert sum(map(len, stream._parts)) <= 1000


def cost_s(piece, count):
    portions = [b'{"a":[', *[piece] * count, b"]}"]
    best = 1e9
    for _ in range(3):
        stream = JsonStream(LARGE)
        started = time.process_time()
        for portion in portions:
            list(stream.feed(portion))
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("piece", [b'"xxxxxxx', b'\\"\\"', b"[[[]]]", b'"\\\\'])
def test_the_cost_grows_with_the_bytes_and_no_faster(piece):
    assert cost_s(piece, 30_000) < 20 * cost_s(piece, 3_000)
