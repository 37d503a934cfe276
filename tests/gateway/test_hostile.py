"""Requests that mean harm: refused by both lanes, and nothing of them is written."""

import json
import socket
import struct

import pytest
from gateways import running_gateway
from http_bytes import Client, body, exchange, request, status

from records import read_log

LIMITS = (
    "--request-timeout-s=1",
    "--events-stall-s=1",
    "--max-connections=20",
    "--max-head-bytes=4096",
    "--max-body-bytes=100000",
)
START = b"POST /publish/{topic} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
SMUGGLED = b"POST /publish/{topic} HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nsmuggled"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module", params=["fast", "asgi"])
def gateway(request, kafka, tmp_path_factory):
    lane = () if request.param == "fast" else ("--no-fast-lane",)
    folder = tmp_path_factory.mktemp("hostile")
    with running_gateway(kafka, folder, *LIMITS, *lane) as running:
        yield running


FRAMING = {
    "length and chunked": START
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": START
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths that agree": START + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "two lengths that differ": START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a list of lengths": START + b"Content-Length: 1, 1\r\n\r\nx",
    "a signed length": START + b"Content-Length: +1\r\n\r\nx",
    "a negative length": START + b"Content-Length: -1\r\n\r\nx",
    "a hexadecimal length": START + b"Content-Length: 0x1\r\n\r\nx",
    "an empty length": START + b"Content-Length: \r\n\r\nx",
    "a length beyond 64 bits": START + b"Content-Length: 99999999999999999999999\r\n\r\nx",
    "chunked not last": START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": START
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked after a control": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"1\r\nx\r\n0\r\n\r\n",
    "a folded header": START + b"X: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
    "a bare LF": START + b"X: a\nContent-Length: 1\r\n\r\nx",
    "a bare CR": START + b"X: a\rY: b\r\nContent-Length: 1\r\n\r\nx",
    "a NUL": START + b"X: a\0b\r\nContent-Length: 1\r\n\r\nx",
    "a blank before the colon": START + b"Content-Length : 1\r\n\r\nx",
    "a header without a colon": START + b"Content-Length\r\n\r\nx",
    "a blank before a name": START + b" Content-Length: 1\r\n\r\nx",
    "no host": b"POST /publish/{topic} HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
    "two hosts": START + b"Host: y\r\nContent-Length: 1\r\n\r\nx",
    "a line end in an extension": CHUNKED + b'1;a="\r\n"\r\nx\r\n0\r\n\r\n',
    "extensions without end": CHUNKED + b"1;" + b"a" * 3_000_000 + b"\r\nx\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\nx\r\n0\r\n\r\n",
    "a chunk in C's hexadecimal": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "a blank before a chunk's size": CHUNKED + b" 1\r\nx\r\n0\r\n\r\n",
    "a chunk's size that ends in LF": CHUNKED + b"1\nx\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\nxy0\r\n\r\n",
    "a chunk that ends in LF": CHUNKED + b"1\r\nx\n0\r\n\r\n",
    "a length in the trailer": CHUNKED + b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
    "HTTP/9.9": START.replace(b"1.1", b"9.9") + b"Content-Length: 1\r\n\r\nx",
    "no version": b"POST /publish/{topic}\n\r\n\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method in lower case": START.replace(b"POST", b"post") + b"Content-Length: 1\r\n\r\nx",
    "a NUL in the target": START.replace(b"{topic}", b"{topic}\0") + b"Content-Length: 1\r\n\r\nx",
    "a fragment": START.replace(b"{topic}", b"{topic}#x") + b"Content-Length: 1\r\n\r\nx",
}


@pytest.mark.parametrize("name", FRAMING)
def test_faulty_framing_ends_the_connection_and_smuggles_nothing(gateway, kafka, topic, name):
    data = (FRAMING[name] + SMUGGLED).replace(b"{topic}", topic.encode())
    with Client(gateway.address) as client:
        client.send_what_it_takes(data)
        answer = client.answer()
        assert status(answer) == 400
        assert json.loads(body(answer))["type"] == "urn:eventstream:problem:malformed-request"
        assert b"connection: close\r\n" in answer
        assert client.answer() == b""
    assert read_log(kafka, topic) == []


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"Transfer-Encoding: xchunked", 501),
        (b"Expect: 200-ok", 417),
    ],
)
def test_what_is_not_understood_is_refused_by_its_own_status(
    gateway, kafka, topic, field, expected
):
    data = START.replace(b"{topic}", topic.encode()) + field + b"\r\n\r\n0\r\n\r\n"
    assert status(exchange(gateway.address, data)) == expected
    assert read_log(kafka, topic) == []


def test_a_good_request_before_a_bad_one_is_answered(gateway, kafka, topic):
    good = request(f"/publish/{topic}", b"1")
    with Client(gateway.address) as client:
        client.send(good + FRAMING["a bare LF"])
        assert status(client.answer()) == 200
    assert len(read_log(kafka, topic)) == 1


def test_small_chunks_with_short_extensions_are_no_attack(gateway, kafka, topic):
    data = CHUNKED.replace(b"{topic}", topic.encode()) + b"1;n=1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    assert status(exchange(gateway.address, data)) == 200
    assert read_log(kafka, topic) == [(None, b"x" * 5000)]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_bound_is_refused_before_it_is_read(gateway, kafka, topic, chunked):
    start = START.replace(b"{topic}", topic.encode())
    with Client(gateway.address) as client:
        if chunked:
            client.send_what_it_takes(
                start + b"Transfer-Encoding: chunked\r\n\r\n30D40\r\n" + bytes(0x30D40)
            )
        else:
            client.send(start + b"Content-Length: 200000\r\n\r\n")
        assert status(client.answer()) == 413
        assert client.answer() == b""
    assert read_log(kafka, topic) == []


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
@pytest.mark.parametrize(
    "head",
    [
        b"POST /publish HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 5000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 5000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"GET /" + b"x" * 5000,
    ],
)
def test_a_head_beyond_the_bound_is_refused(gateway, first, head):
    with Client(gateway.address) as client:
        if first:
            client.send(first)
            client.answer()
        client.send(head)
        assert status(client.answer()) == 431


def test_a_repeated_head_is_refused_when_its_key_takes_it_beyond_the_bound(gateway, kafka, topic):
    with Client(gateway.address) as client:
        for key in ("a", "b"):
            client.send(request(f"/publish/{topic}", b"1", Event_Key=key))
            assert status(client.answer()) == 200
        client.send(request(f"/publish/{topic}", b"1", Event_Key="c" * 5000))
        assert status(client.answer()) == 431
    assert len(read_log(kafka, topic)) == 2


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
@pytest.mark.parametrize(
    "part",
    [
        b"P",
        b"POST /publish/{topic} HTTP/1.1\r\nHost: x\r\n",
        b"POST /publish/{topic} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
        b"POST /publish/{topic} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx",
    ],
)
def test_a_request_that_stops_arriving_is_answered_408(gateway, kafka, topic, first, part):
    with Client(gateway.address) as client:
        if first:
            client.send(first)
            client.answer()
        client.send(part.replace(b"{topic}", topic.encode()))
        answer = client.answer()
        assert status(answer) == 408
        assert client.answer() == b""
    assert read_log(kafka, topic) == []


def test_a_head_that_drips_is_answered_408(gateway):
    with Client(gateway.address, timeout_s=0.1) as client:
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        for _ in range(100):
            client.send(b"X: y\r\n")
            try:
                answer = client.answer()
            except TimeoutError:
                continue
            break
        assert status(answer) == 408


def test_a_client_that_does_not_read_is_let_go(gateway, topic):
    """Answers pile up in the kernel's buffers, then requests do; ours take little of either."""
    ask = request("/metrics", method="GET", content_type=None) * 100
    with Client(gateway.address, small_buffers=True) as client, pytest.raises(ConnectionError):
        client.send_until_cut(ask, at_most=30_000_000)
    assert status(exchange(gateway.address, request(f"/publish/{topic}", b"1"))) == 200


def test_connections_beyond_the_bound_are_answered_503(gateway):
    clients = [Client(gateway.address) for _ in range(20)]
    try:
        for client in clients:
            client.send(request("/healthz", method="GET", content_type=None))
        assert all(status(client.answer()) == 200 for client in clients)
        with Client(gateway.address) as late:
            answer = late.answer()
            assert status(answer) == 503
            assert b"retry-after: 1\r\n" in answer
            assert late.answer() == b""
    finally:
        for client in clients:
            client.__exit__()


def test_a_client_that_vanishes_leaves_the_others_alone(gateway, topic):
    for part in (b"", b"POST", START, START + b"Content-Length: 100\r\n\r\nx"):
        vanishing = socket.create_connection(gateway.address)
        vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        vanishing.sendall(part)
        vanishing.close()
    assert status(exchange(gateway.address, request(f"/publish/{topic}", b"1"))) == 200
    assert b"Traceback" not in gateway.log.read_bytes()
