"""What a client of a stream sees."""

import contextlib

import pytest
from event_source import EventSource
from stream_servers import serving

from waiting import wait_until


def test_events_come_as_they_are_published_from_now_on(topic, listen, publish):
    publish(topic, b'{"before":true}')
    source = listen(topic)
    publish(topic, b'{"n": 1}', key=b"k", headers=[("trace", b"t"), ("raw", b"\xff"), ("no", None)])
    (event,) = source.wait_for(1)
    assert event.json["timestamp_ms"] > 1_700_000_000_000
    assert {**event.json, "timestamp_ms": 0} == {
        "topic": topic,
        "partition": 0,
        "offset": 1,
        "timestamp_ms": 0,
        "key": "k",
        "headers": [
            {"name": "trace", "value": "t"},
            {"name": "raw", "value_base64": "/w=="},
            {"name": "no", "value": None},
        ],
        "value": {"n": 1},
    }


def test_the_answer_is_an_event_stream_that_nobody_keeps(topic, listen):
    source = listen(topic)
    assert source.response.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert source.response.getheader("cache-control") == "no-store"
    assert 1000 <= source.stream.retry_ms <= 3000


def test_from_earliest_begins_with_the_oldest_event_of_every_partition(make_topic, listen, publish):
    topic = make_topic(3)
    for partition in range(3):
        publish(topic, *(b"%d" % n for n in range(100)), partition=partition)
    source = listen(f"{topic}?from=earliest")
    source.wait_for(300)
    publish(topic, b"100", partition=1)
    source.wait_for(301)
    for partition in range(3):
        offsets = [offset for number, offset in source.places if number == partition]
        assert offsets == list(range(101 if partition == 1 else 100))


def test_a_timestamp_begins_with_the_first_event_that_is_not_older(make_topic, listen, publish):
    topic = make_topic(2)
    for n in range(10):
        publish(topic, b"%d" % n, partition=n % 2, timestamp=1_700_000_000_000 + n * 1000)
    for start in ("1700000005000", "2023-11-14T22:13:25Z", "2023-11-14T23:13:25%2B01:00"):
        source = listen(f"{topic}?from={start}")
        source.wait_for(5)
        publish(topic, b"10", partition=0)
        assert sorted(event.json["value"] for event in source.wait_for(6))[:5] == [5, 6, 7, 8, 9]


def test_a_timestamp_after_the_last_event_begins_with_the_next(topic, listen, publish):
    publish(topic, b"0", timestamp=1_700_000_000_000)
    source = listen(f"{topic}?from=1700000000001")
    publish(topic, b"1")
    assert [event.json["value"] for event in source.wait_for(1)] == [1]


@pytest.mark.parametrize("start", ["latest", "earliest"])
def test_a_key_is_all_that_its_reader_sees(make_topic, listen, publish, start):
    topic = make_topic(3)
    source = None if start == "earliest" else listen(f"{topic}?key=caf%C3%A9+1")
    for n in range(30):
        key = "café 1".encode() if n % 10 == 0 else b"other-%d" % n
        publish(topic, b"%d" % n, partition=n % 3, key=key)
    source = source or listen(f"{topic}?from=earliest&key=caf%C3%A9+1")
    source.wait_for(3)
    publish(topic, b"30", key="café 1".encode())
    assert sorted(event.json["value"] for event in source.wait_for(4)) == [0, 10, 20, 30]


def test_what_is_not_json_or_text_comes_in_base64(topic, listen, publish):
    source = listen(topic)
    publish(topic, b"plain text", b"\xff\x00", b"", None, b'{\r\n "a": [1,\n 2]\n}', key=b"\xfe")
    events = [event.json for event in source.wait_for(5)]
    assert [event.get("value_base64") for event in events] == ["cGxhaW4gdGV4dA==", "/wA=", "", None,
                                                               None]  # fmt: skip
    assert [event.get("value", "-") for event in events] == ["-", "-", "-", None, {"a": [1, 2]}]
    assert {event["key_base64"] for event in events} == {"/g=="}
    assert not any("key" in event for event in events)


def test_a_silent_stream_beats_and_its_id_goes_on_for_a_key_that_is_silent(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers, events_heartbeat_s=0.2) as server,
        EventSource(server.port, f"/events/{topic}?key=mine") as source,
    ):
        began = source.last_event_id
        wait_until(lambda: source.stream.comments > 3, 10, "heartbeats")
        assert source.last_event_id == began
        publish(topic, b"1", b"2", key=b"not-mine")
        wait_until(lambda: source.last_event_id.endswith(":2"), 10, "the id to move")
        assert not source.events


def test_many_clients_of_a_topic_share_one_consumer(kafka, make_topic, publish):
    topic = make_topic(3)
    with serving(kafka.bootstrap_servers) as server, contextlib.ExitStack() as open_streams:
        sources = [
            open_streams.enter_context(EventSource(server.port, f"/events/{topic}"))
            for _ in range(50)
        ]
        assert server.state["readers"] == 1
        for partition in range(3):
            publish(topic, *(b"%d" % n for n in range(200)), partition=partition)
        for source in sources:
            source.wait_for(600)
        first = [(event.data, event.last_event_id) for event in sources[0].events]
        assert len(first) == 600
        for source in sources:
            assert [(event.data, event.last_event_id) for event in source.events] == first
        state = server.state
        assert state["readers"] == 1
        assert state["samples"]["eventstream_gateway_streams"] == 50
        assert state["samples"]["eventstream_gateway_streamed_topics"] == 1
        assert state["samples"]["eventstream_gateway_streamed_events_total"] == 50 * 600
