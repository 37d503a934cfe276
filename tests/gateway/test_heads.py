"""What the fast lane takes, and what it leaves to ASGI."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventstream.gateway.heads import Heads
from eventstream.gateway.targets.reading import Targets

START = b"POST /publish HTTP/1.1\r\nHost: x\r\n"


def head(text):
    return Heads(Targets("events")).read(text)


def test_a_publish_is_read():
    read = head(START + b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n")
    assert (read.route.topic, read.content_length, read.keep_alive) == ("events", 5, True)


def test_a_repeated_head_is_read_once():
    heads = Heads(Targets("events"))
    plain = START + b"Content-Length: 5\r\n\r\n"
    assert heads.read(plain) is heads.read(bytes(bytearray(plain)))


HEADS_WITH_KEYS = st.lists(
    st.sampled_from(
        [
            b"Event-Key: a",
            b"Event-Key: b",
            b"event-key: a",
            b"event-key:b",
            b"EVENT-KEY: a",
            b"Event-Key: ",
            b"Event-Key:  a",
            b"Event-Key: a b",
            b"Event-Key: \xff",
            b"X-Event-Key: c",
            b"Content-Type: application/json",
        ]
    ),
    max_size=3,
)


@given(
    st.lists(st.tuples(HEADS_WITH_KEYS, st.sampled_from([b"", b"?key=a", b"?x=1"])), max_size=12)
)
def test_a_remembered_head_reads_as_if_it_were_read_for_the_first_time(requests):
    heads, last = Heads(Targets("events")), None
    for fields, query in requests:
        lines = [b"POST /publish%b HTTP/1.1" % query, b"Host: x", *fields, b"Content-Length: 5"]
        text = b"\r\n".join(lines) + b"\r\n\r\n"
        if last is not None:
            assert last.again(b"12345%b12345" % text, 5) in (None, head(text))
        last = heads.read(text)
        assert last == head(text)


KEYED = START + b"Event-Key: %b\r\nContent-Length: 5\r\n\r\n"
PIECES = [b"k", b" ", b"\r", b"\r\n", b"Event-Key: k", b"Content-Length: 5", b"\x7f", b"\xff"]


@example(b"")
@example(b"k l")
@example(b"k\r\n")
@example(b"k\r\nEvent-Key: k")
@example(b"k\r\nContent-Length: 6")
@given(st.lists(st.sampled_from(PIECES)).map(b"".join) | st.binary())
def test_a_head_is_known_again_only_by_what_it_would_be_read_as(instead_of_a_key):
    text = KEYED % instead_of_a_key
    whole = text[: text.index(b"\r\n\r\n") + 4]
    again = head(KEYED % b"a").again(text, 0)
    assert again is None or again == head(whole)


@given(st.lists(st.integers(33, 126), min_size=1).map(bytes))
def test_a_head_with_another_plain_key_is_known_again(key):
    text = KEYED % key
    assert head(KEYED % b"a").again(text, 0) == head(text)


def test_a_head_without_a_key_is_known_again_whole():
    text = START + b"Content-Length: 5\r\n\r\n"
    read = head(text)
    assert read.again(text + b"12345", 0) is read
    assert read.again(text[:-1], 0) is None
    assert read.again(text, 1) is None


@pytest.mark.parametrize("field", [b"traceparent: 00-1-1-01", b"ce-id: 1", b"Idempotency-Key: k"])
def test_a_head_for_one_request_is_not_known_again(field):
    text = START + field + b"\r\nContent-Length: 5\r\n\r\n"
    assert head(text).again(text, 0) is None


def test_keys_of_repeated_heads_are_told_apart():
    heads = Heads(Targets("events"))
    texts = [START + b"Event-Key: k%d\r\nContent-Length: 5\r\n\r\n" % n for n in range(99)]
    assert [heads.read(text).route.key for text in texts] == [b"k%d" % n for n in range(99)]


def test_memory_is_bounded_whatever_clients_send():
    heads = Heads(Targets("events"))
    for n in range(5000):
        heads.read(START + b"X-Request: %d\r\nContent-Length: 5\r\n\r\n" % n)
        heads.read(START + b"X-Request: %d\r\nEvent-Key: a\r\nContent-Length: 5\r\n\r\n" % n)
    assert len(heads._known) <= 1024
    assert len(heads._around_key) <= 1024


def test_connection_close_is_honoured():
    assert not head(START + b"Connection: close\r\nContent-Length: 5\r\n\r\n").keep_alive


@pytest.mark.parametrize(
    "text",
    [
        b"GET /publish HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /published HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"POST /publish/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"POST /publish HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n",
        START + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        START + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        START + b"Content-Length: +5\r\n\r\n",
        START + b"Content-Length: -5\r\n\r\n",
        START + b"Content-Length : 5\r\n\r\n",
        START + b"Content-Length: 5\nX: y\r\n\r\n",
        START + b"Content-Length: 5\r\nX: y\r\n z\r\n\r\n",
        START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        START + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    ],
)
def test_everything_else_is_left_to_asgi(text):
    assert head(text) is None
