"""Requests and answers on one connection, in any portions; and brokers that are none."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.log.native import messages
from eventstream.log.native.connection import Connection
from eventstream.log.native.messages import API_VERSIONS, METADATA, PRODUCE, UnsupportedVersion
from eventstream.log.native.primitives import NO_TAGS, Reader, uvarint


class Wire(asyncio.Transport):
    """A transport in memory."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.aborted = False

    def write(self, data):
        self.written.append(data)

    def abort(self):
        self.aborted = True


def connected():
    lost = []
    connection, wire = Connection("a client", lambda: lost.append(True)), Wire()
    connection.connection_made(wire)
    return connection, wire, lost


def answer(correlation, content):
    body = struct.pack(">i", correlation) + NO_TAGS + content
    return len(body).to_bytes(4, "big") + body


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=6), st.lists(st.integers(1, 9)))
def test_answers_arrive_in_any_portions(contents, cuts):
    connection, _, _ = connected()
    heard = []
    for _ in contents:
        connection.ask(METADATA, b"", 0.0, lambda reader: heard.append(reader.take(reader.left)))
    data = b"".join(answer(number, content) for number, content in enumerate(contents, 1))
    for size in cuts:
        connection.data_received(data[:size])
        data = data[size:]
    if data:
        connection.data_received(data)
    assert heard == contents


def test_a_request_has_the_head_that_kafka_wants():
    connection, wire, _ = connected()
    connection.ask(PRODUCE, b"content", 0.0, print)
    (data,) = wire.written
    reader = Reader(data)
    assert reader.integer(4) == reader.left
    assert (reader.integer(2), reader.integer(2), reader.integer(4)) == (PRODUCE, 9, 1)
    assert reader.take(reader.integer(2)) == b"a client"
    reader.tags()
    assert reader.take(reader.left) == b"content"


def test_an_answer_to_nothing_or_to_another_request_ends_the_connection():
    connection, wire, _ = connected()
    connection.data_received(answer(1, b""))
    assert wire.aborted
    connection, wire, _ = connected()
    connection.ask(METADATA, b"", 0.0, print)
    connection.data_received(answer(2, b""))
    assert wire.aborted


def test_an_answer_that_ends_too_soon_is_none_and_ends_the_connection():
    connection, wire, _ = connected()
    heard = []

    def on_answer(reader):
        heard.append(reader)
        if reader is not None:
            messages.read_produced(reader)

    connection.ask(PRODUCE, b"", 0.0, on_answer)
    connection.data_received(answer(1, b"\5"))
    assert heard[1:] == [None]
    assert wire.aborted


def test_whoever_waits_hears_of_the_end_and_only_once():
    connection, _, lost = connected()
    heard = []
    connection.ask(METADATA, b"", 0.0, heard.append)
    connection.ask(METADATA, b"", 0.0, heard.append)
    connection.connection_lost(None)
    assert heard == [None, None]
    assert lost == [True]


def test_an_answer_that_is_overdue_ends_the_connection():
    connection, wire, _ = connected()
    connection.ask(METADATA, b"", 10.0, print)
    connection.check_time(9.9)
    assert not wire.aborted
    connection.check_time(10.1)
    assert wire.aborted


def versions(*known, error=0):
    rows = b"".join(struct.pack(">hhh", *row) + NO_TAGS for row in known)
    return Reader(struct.pack(">h", error) + uvarint(len(known) + 1) + rows)


def test_a_broker_has_to_know_every_request_that_is_sent():
    every = [(api, 0, version) for api, version in messages.VERSIONS.items()]
    messages.check_api_versions(versions(*every))
    with pytest.raises(UnsupportedVersion) as raised:
        messages.check_api_versions(versions((PRODUCE, 0, 8), *every[1:]))
    assert raised.value.api == PRODUCE
    with pytest.raises(UnsupportedVersion) as raised:
        messages.check_api_versions(versions(error=35))
    assert raised.value.api == API_VERSIONS
