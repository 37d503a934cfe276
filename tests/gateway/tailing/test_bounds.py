"""Clients that are slow, too many or not welcome; servers that stop; Kafka that is away."""

import contextlib
import socket
import time

import pytest
from event_source import TIMEOUT_S, EventSource
from stream_servers import serving

from eventstream.local.kafka import LocalKafka
from eventstream.log.admin import Admin
from eventstream.settings import BrokerSettings, HomeSettings, KafkaSettings
from waiting import wait_until

BIG = b'"%s"' % (b"x" * 20_000)


def test_a_slow_client_is_dropped_with_a_reason_while_others_get_everything(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers, events_client_bytes=1_000_000) as server,
        EventSource(server.port, f"/events/{topic}") as quick,
        EventSource(server.port, f"/events/{topic}", receive_buffer=4096) as slow,
    ):
        slow.pause()
        for round_ in range(15):
            publish(topic, *[BIG] * 20)
            quick.wait_for(20 * (round_ + 1))
        assert quick.places == [(0, offset) for offset in range(300)]
        slow.go_on()
        wait_until(slow.ended.is_set, TIMEOUT_S, "the slow client's end")
        *events, dropped = slow.stream.dispatched
        assert dropped.type == "dropped"
        assert dropped.json["reason"] == "slow"
        assert len(events) < 300
        assert not quick.ended.is_set()
        assert server.state["samples"]["eventstream_gateway_streams_ended_totalslow"] == 1
        with EventSource(server.port, f"/events/{topic}", dropped.last_event_id) as again:
            rest = again.wait_for(300 - len(events))
        assert [event.place for event in events + rest] == quick.places


def test_a_client_that_takes_nothing_gives_its_place_up(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers, events_stall_s=0.5, events_max_clients=1) as server,
        EventSource(server.port, f"/events/{topic}", receive_buffer=4096) as stuck,
    ):
        stuck.pause()
        assert server.get(f"/events/{topic}")[0] == 503

        def is_cut():
            publish(topic, *[BIG] * 50)
            return not server.state["samples"]["eventstream_gateway_streams"]

        wait_until(is_cut, TIMEOUT_S, "the stuck client to be dropped")
        assert server.state["samples"]["eventstream_gateway_streams_ended_totalstalled"] == 1
        with EventSource(server.port, f"/events/{topic}"):
            pass


def test_a_client_that_leaves_is_noticed_and_the_last_one_ends_the_consumer(kafka, topic):
    with serving(kafka.bootstrap_servers, rest_s=0.3) as server:
        with EventSource(server.port, f"/events/{topic}"):
            with EventSource(server.port, f"/events/{topic}"):
                assert server.state["samples"]["eventstream_gateway_streams"] == 2
            wait_until(
                lambda: server.state["samples"]["eventstream_gateway_streams"] == 1, 5, "leaving"
            )
            assert server.state["readers"] == 1
        wait_until(lambda: server.state["readers"] == 0, 5, "the consumer to end")
        assert server.state["samples"]["eventstream_gateway_streamed_topics"] == 0
        assert server.state["samples"]["eventstream_gateway_streams_ended_totalleft"] == 2


def test_a_stop_ends_every_stream_at_once_with_a_reason(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers) as server,
        EventSource(server.port, f"/events/{topic}") as source,
        EventSource(server.port, f"/events/{topic}?from=earliest") as other,
    ):
        publish(topic, b"1")
        source.wait_for(1)
        began = time.monotonic()
        server.process.terminate()
        assert server.process.wait(10) is not None
        assert time.monotonic() - began < 3
        wait_until(lambda: source.ended.is_set() and other.ended.is_set(), 5, "the ends")
        for each in (source, other):
            assert each.stream.dispatched[-1].type == "end"
            assert each.stream.dispatched[-1].json["reason"] == "stopping"
            assert each.last_event_id.endswith(":1")


@pytest.mark.parametrize(
    ("target", "last_id", "status", "name"),
    [
        ("no-such-topic-here", None, 404, "unknown-topic"),
        ("__consumer_offsets", None, 403, "internal-topic"),
        ("not%20a%20name", None, 400, "invalid-topic"),
        ("events?from=yesterday", None, 400, "invalid-from"),
        ("events?from=1&from=2", None, 400, "invalid-from"),
        ("events?key=%zz", None, 400, "invalid-key"),
        ("events", "0:41,1:17", 400, "invalid-event-id"),
        ("events", "AAAAAAAA:1,", 400, "invalid-event-id"),
        ("events", "AAAAAAAA:9999999999999999999", 400, "invalid-event-id"),
        ("events", "AAAAAAAA:" + "1," * 1001 + "1", 400, "invalid-event-id"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(server, target, last_id, status, name):
    fields = {} if last_id is None else {"Last-Event-ID": last_id}
    answered, problem = server.get(f"/events/{target}", **fields)
    assert (answered, problem["type"]) == (status, f"urn:eventstream:problem:{name}")
    assert problem["detail"].endswith(".")


def test_who_may_not_read_is_told_so(server, topic):
    status, problem = server.get(f"/events/{topic}", **{"X-Refused": "yes"})
    assert (status, problem["detail"]) == (403, f"No {topic} for you.")


def test_head_answers_without_a_stream(server, topic):
    assert server.get(f"/events/{topic}", method="HEAD") == (200, None)
    assert server.get("/events/no-such-topic-here", method="HEAD")[0] == 404


def test_streams_and_topics_are_bounded(kafka, make_topic):
    first, second = make_topic(), make_topic()
    with serving(kafka.bootstrap_servers, events_max_clients=2, events_max_topics=1) as server:
        with EventSource(server.port, f"/events/{first}"):
            assert server.get(f"/events/{second}")[1]["type"].endswith(":too-many-topics")
            with EventSource(server.port, f"/events/{first}"):
                status, problem = server.get(f"/events/{first}")
                assert (status, problem["type"]) == (
                    503,
                    "urn:eventstream:problem:too-many-streams",
                )
        wait_until(lambda: not server.state["samples"]["eventstream_gateway_streams"], 5, "leaving")
        with EventSource(server.port, f"/events/{second}"):  # a topic at rest makes room
            assert server.state["samples"]["eventstream_gateway_streamed_topics"] == 1


def test_kafka_away_is_503_at_the_start_and_later_a_pause(tmp_path, publish_to):
    home = HomeSettings(home=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the same one after the restart
    with LocalKafka(home, BrokerSettings(broker_port=port)) as own:
        own.start()
        servers = own.bootstrap_servers
        Admin(KafkaSettings(bootstrap_servers=servers)).create_topic("t")
        with serving(servers) as server, EventSource(server.port, "/events/t") as source:
            publish_to(servers, "t", b"1")
            source.wait_for(1)
            own.kill()
            status, problem = server.get("/events/other")
            assert (status, problem["type"]) == (503, "urn:eventstream:problem:kafka-unavailable")
            own.start()
            publish_to(servers, "t", b"2")
            assert [event.json["value"] for event in source.wait_for(2)] == [1, 2]


def test_a_client_that_takes_nothing_does_not_hold_a_stop_up(kafka, topic, publish):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(kafka.bootstrap_servers))
        stuck = stack.enter_context(
            EventSource(server.port, f"/events/{topic}", receive_buffer=4096)
        )
        stuck.pause()
        with EventSource(server.port, f"/events/{topic}") as quick:
            publish(topic, *[BIG] * 300)
            quick.wait_for(300)
        began = time.monotonic()
        server.process.terminate()
        server.process.wait(15)
        assert time.monotonic() - began < 6


def test_a_burst_that_no_ring_could_hold_drops_nobody_who_reads(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers, events_client_bytes=65_536) as server,
        EventSource(server.port, f"/events/{topic}") as source,
    ):
        publish(topic, *[BIG] * 500)
        source.wait_for(500)
        assert not source.ended.is_set()
        assert source.places == [(0, offset) for offset in range(500)]
