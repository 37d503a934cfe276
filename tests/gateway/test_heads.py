"""What the fast lane takes, and what it leaves to ASGI."""

import pytest

from eventstream.gateway.heads import Heads

START = b"POST /publish HTTP/1.1\r\nHost: x\r\n"


def head(text):
    return Heads("events").read(text)


def test_a_publish_is_read():
    read = head(START + b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n")
    assert (read.route.topic, read.content_length, read.keep_alive) == ("events", 5, True)


def test_a_repeated_head_is_the_same_object_and_one_with_a_key_is_not_kept():
    heads = Heads("events")
    plain = START + b"Content-Length: 5\r\n\r\n"
    keyed = START + b"Content-Length: 5\r\nEvent-Key: a\r\n\r\n"
    assert heads.read(plain) is heads.read(bytes(bytearray(plain)))
    assert heads.read(keyed) is not heads.read(keyed)


def test_memory_is_bounded_whatever_clients_send():
    heads = Heads("events")
    for n in range(5000):
        heads.read(START + b"X-Request: %d\r\nContent-Length: 5\r\n\r\n" % n)
    assert len(heads._known) <= 1024


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
