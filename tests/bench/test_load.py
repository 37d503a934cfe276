"""The load knows where an answer ends, and what was only its warm-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.bench.load import Load, Sender, is_whole

BODIES = st.binary(max_size=40).map(lambda body: body.replace(b"\r\n", b""))


@given(BODIES, st.sampled_from(["content-length", "Content-Length"]))
def test_an_answer_with_a_length_ends_there_and_no_sooner(body, name):
    answer = b"HTTP/1.1 200 OK\r\n%b: %d\r\ndate: now\r\n\r\n%b" % (name.encode(), len(body), body)
    assert is_whole(answer)
    assert not any(is_whole(answer[:end]) for end in range(len(answer)))


@given(BODIES.filter(len))
def test_an_answer_in_chunks_ends_with_the_last_one(body):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert is_whole(answer)
    assert not any(is_whole(answer[:end]) for end in range(len(answer)))


@pytest.mark.parametrize("rate", [0, 1000])
def test_nothing_counts_as_measured_before_the_warm_up_has_ended(rate):
    sender = Sender(Load(port=0, topic="orders", connections=1, seconds=1, rate=rate, keyed=False))
    assert sender.first > 1 << 32


def test_a_request_of_many_lines_has_as_many_events():
    load = Load(port=0, topic="o", connections=1, seconds=1, keyed=False, form="ndjson", lines=50)
    request = Sender(load).message(0, 0)
    assert request.count(b"\n{") == 50
    assert request.endswith(b'"}\n')
