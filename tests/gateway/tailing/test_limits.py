"""A stream of so many events and no more."""

import pytest
from event_source import Interpreter

from eventstream.gateway.problems import Rejected
from eventstream.gateway.tailing import frames
from eventstream.gateway.tailing.wishes import wish_of


def told_of_end(source):
    (end,) = source.wait_for(1, "end")
    source.ended.wait(30)
    return end.json["reason"]


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_a_stream_with_a_limit_ends_after_so_many_old_events(make_topic, listen, publish, limit):
    topic = make_topic(2)
    publish(topic, *(b"%d" % n for n in range(10)), partition=0)
    publish(topic, *(b"%d" % n for n in range(10)), partition=1)
    source = listen(f"{topic}?from=earliest&limit={limit}")
    assert told_of_end(source) == "limit"
    assert len(source.events) == limit


def test_a_stream_with_a_limit_ends_after_so_many_new_events(topic, listen, publish):
    source = listen(f"{topic}?limit=2&key=k")
    publish(topic, b"0", key=b"other")
    publish(topic, b"1", b"2", b"3", key=b"k")
    assert told_of_end(source) == "limit"
    assert [event.json["value"] for event in source.events] == [1, 2]


def test_the_last_id_of_a_stream_that_ended_goes_on_with_the_next_event(topic, listen, publish):
    publish(topic, *(b"%d" % n for n in range(9)))
    seen, last_event_id = [], None
    for _ in range(3):
        source = listen(f"{topic}?from=earliest&limit=3", last_event_id)
        assert told_of_end(source) == "limit"
        seen += [event.json["value"] for event in source.events]
        last_event_id = source.last_event_id
    assert seen == list(range(9))


def test_only_events_count():
    notice = frames.notice("gap", b"abcdefgh:1", {})
    one, two = b"id: abcdefgh:2\ndata: 1\n\n", b"id: abcdefgh:3\ndata: 2\n\n"
    chunk, last_id = frames.first(notice + one + notice + two, 2)
    assert (chunk, last_id) == (notice + one + notice + two, b"abcdefgh:3")
    chunk, last_id = frames.first(notice + one + notice + two, 1)
    assert (chunk, last_id) == (notice + one, b"abcdefgh:2")
    stream = Interpreter()
    stream.feed(chunk)
    assert stream.last_event_id == "abcdefgh:2"


@pytest.mark.parametrize("text", [b"0", b"-1", b"1.5", b"many", b"", b"1" * 19, b"%31%zz"])
def test_a_limit_that_is_no_number_is_refused(text):
    with pytest.raises(Rejected) as refused:
        wish_of("events", b"limit=" + text, (), 0)
    assert (refused.value.problem.status, refused.value.problem.name) == (400, "invalid-limit")
