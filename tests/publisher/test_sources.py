"""Sources give keys and values, and say which line they cannot use."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.errors import InvalidEvent, InvalidSetting
from eventstream.publisher.sources import generated, key_from, lines, same_key


def flat(chunks):
    return [pair for chunk in chunks for pair in chunk]


@given(st.integers(0, 2500), st.integers(11, 200), st.integers(0, 20))
def test_generated_events_are_json_of_the_asked_number_size_and_keys(count, size, keys):
    events = flat(generated(count, size, [b"key-%d" % n for n in range(keys)]))
    assert len(events) == count
    for key, value in events[:20]:
        assert len(value) == size
        json.loads(value)
        assert (key is None) == (keys == 0)
    assert len({key for key, _ in events}) <= max(1, keys)


def test_a_value_too_small_for_json_is_refused():
    with pytest.raises(InvalidSetting, match="--size is 5"):
        list(generated(1, 5, []))


def test_lines_are_values_and_empty_ones_are_passed_over():
    read = lines(io.BytesIO(b"a\r\n\nb\n c \nd"), same_key("k"))
    assert flat(read) == [(b"k", b"a"), (b"k", b"b"), (b"k", b" c "), (b"k", b"d")]


@pytest.mark.parametrize(
    ("pointer", "line", "key"),
    [
        ("/id", b'{"id":"a"}', b"a"),
        ("/id", b'{"id":7}', b"7"),
        ("/user/ids/1", b'{"user":{"ids":["x","y"]}}', b"y"),
        ("/a~1b/c~0d", b'{"a/b":{"c~d":"z"}}', b"z"),
        ("/", b'{"":"empty name"}', b"empty name"),
    ],
)
def test_a_key_is_found_at_its_json_pointer(pointer, line, key):
    assert key_from(pointer)(line, 1) == key


@pytest.mark.parametrize(
    "line", [b"nope", b"{}", b'{"id":null}', b'{"id":true}', b'{"id":1.5}', b'{"id":[]}', b"3"]
)
def test_a_line_without_a_usable_key_is_named(line):
    with pytest.raises(InvalidEvent, match="Line 42 "):
        key_from("/id")(line, 42)


def test_what_came_before_an_unusable_line_is_not_lost():
    source = lines(io.BytesIO(b'{"id":1}\n{"id":2}\nnope\n{"id":3}\n'), key_from("/id"))
    assert [key for key, _ in next(source)] == [b"1", b"2"]
    with pytest.raises(InvalidEvent, match="Line 3 "):
        next(source)
