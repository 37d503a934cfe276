"""A client that comes back misses nothing and sees nothing twice."""

import contextlib
import random
import signal
import threading

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from event_source import TIMEOUT_S, EventSource
from stream_servers import serving

from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings
from waiting import wait_until

SEEDS = (1, 2, 3)


def in_order(places, partitions):
    for partition in range(partitions):
        offsets = [offset for number, offset in places if number == partition]
        assert offsets == sorted(set(offsets)), f"partition {partition} is not in order"


@contextlib.contextmanager
def writing(kafka, topic, partitions, seed):
    """Write to random partitions, in bursts, until the block ends; gives the places written."""
    written, enough = set(), threading.Event()
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 1})

    def note(error, message):
        assert error is None
        written.add((message.partition(), message.offset()))

    def write():
        rng = random.Random(seed)
        while not enough.is_set():
            for _ in range(rng.randrange(1, 60)):
                value, key = b'{"x": "%s"}' % (b"y" * rng.randrange(400)), b"%d" % rng.randrange(4)
                producer.produce(
                    topic, value, key, partition=rng.randrange(partitions), on_delivery=note
                )
            producer.poll(0.004)
        assert producer.flush(20) == 0

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        enough.set()
        thread.join()


@pytest.mark.parametrize("seed", SEEDS)
def test_resumed_over_cuts_and_killed_servers_nothing_is_missed_or_repeated(
    kafka, make_topic, seed
):
    topic, partitions = make_topic(3), 3
    rng = random.Random(seed)
    seen, last_id = [], None
    # So little is kept in memory that some resumes find it there and others do not.
    settings = {"events_client_bytes": 65_536 * rng.choice([1, 4, 64]), "events_stall_s": 20}
    with writing(kafka, topic, partitions, seed) as written, contextlib.ExitStack() as servers:
        running = [
            servers.enter_context(serving(kafka.bootstrap_servers, **settings)) for _ in range(2)
        ]
        for cut in range(14):
            which = rng.randrange(2)
            with EventSource(running[which].port, f"/events/{topic}", last_id) as source:
                enough = rng.choice([0, 1, 50, 3000])
                source.wait_for_end_or(enough)
                if cut % 4 == 3:
                    running[which].kill()
            last_id = source.last_event_id or last_id
            seen += source.places
            assert not source.of_type("gap")
            if cut % 4 == 3:
                running[which] = servers.enter_context(serving(kafka.bootstrap_servers, **settings))
            if cut == 0:
                first = dict(enumerate(map(int, last_id.split(":")[1].split(","))))
                first = {p: at - sum(n == p for n, _ in seen) for p, at in first.items()}
    with serving(kafka.bootstrap_servers) as server:
        wanted = {place for place in written if place[1] >= first[place[0]]}
        missing = len(wanted) - len(seen)
        with EventSource(server.port, f"/events/{topic}", last_id) as source:
            source.wait_for(missing)
            seen += source.places
    assert len(seen) == len(set(seen)), "an event came twice"
    assert set(seen) == wanted
    in_order(seen, partitions)


def test_clients_that_catch_up_while_others_are_ahead_all_see_everything_once(kafka, make_topic):
    topic = make_topic(3)
    with (
        serving(kafka.bootstrap_servers, events_catch_up_readers=2) as server,
        writing(kafka, topic, 3, 7) as written,
        contextlib.ExitStack() as open_streams,
    ):
        wait_until(lambda: len(written) > 5000, TIMEOUT_S, "a backlog")
        sources = [
            open_streams.enter_context(EventSource(server.port, f"/events/{topic}?from=earliest"))
            for _ in range(8)
        ]
        keyed = open_streams.enter_context(
            EventSource(server.port, f"/events/{topic}?from=earliest&key=1")
        )
        for source in sources:
            source.wait_for(8000)
        keyed.wait_for(1500)
        wait_until(
            lambda: not server.state["samples"]["eventstream_gateway_streams_catching_up"],
            TIMEOUT_S,
            "everybody to join",
        )
        joined_at = len(sources[0].events)
        for source in [*sources, keyed]:
            source.wait_for(joined_at + 1000 if source is not keyed else 1600)
            in_order(source.places, 3)
        for source in sources:
            places = source.places
            for partition in range(3):
                offsets = [offset for number, offset in places if number == partition]
                assert offsets == list(range(len(offsets)))
        ids = [event.last_event_id for event in keyed.events]
    with serving(kafka.bootstrap_servers) as server:
        cut = len(ids) // 3
        with EventSource(server.port, f"/events/{topic}?key=1", ids[cut]) as source:
            again = [event.place for event in source.wait_for(len(ids) - cut - 1)]
    before = [event.place for event in keyed.events][: cut + 1]
    assert not set(before) & set(again)
    in_order(before + again, 3)


def test_a_client_that_left_before_its_first_event_misses_none(topic, listen, publish):
    publish(topic, b"0")
    source = listen(topic)
    source.leave()
    publish(topic, b"1", b"2")
    again = listen(topic, source.last_event_id)
    assert [event.json["value"] for event in again.wait_for(2)] == [1, 2]


def test_the_last_id_wins_and_may_stand_in_the_query(topic, listen, publish):
    publish(topic, b"0", b"1", b"2")
    last_id = listen(f"{topic}?from=earliest").wait_for(2)[0].last_event_id
    for source in (listen(f"{topic}?from=earliest", last_id), listen(f"{topic}?from={last_id}")):
        assert [event.json["value"] for event in source.wait_for(2)] == [1, 2]


def test_markers_and_aborted_events_of_transactions_are_passed_over(kafka, topic, listen, publish):
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": f"{topic}-tx"}
    )
    producer.init_transactions(20)
    for number, ends in enumerate([producer.commit_transaction, producer.abort_transaction] * 2):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number)
        producer.flush(20)
        ends(20)
    source = listen(f"{topic}?from=earliest")
    source.wait_for(2)
    publish(topic, b"4")
    source.wait_for(3)
    assert [event.json["value"] for event in source.events] == [0, 2, 4]
    again = listen(topic, source.events[1].last_event_id)
    assert [event.json["value"] for event in again.wait_for(1)] == [4]


def delete_before(kafka, topic, offset):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    (deleted,) = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
    deleted.result(20)


def test_deleted_events_are_a_gap_that_is_told(kafka, topic, publish):
    with serving(kafka.bootstrap_servers) as server:
        publish(topic, *(b"%d" % n for n in range(10)))
        with EventSource(server.port, f"/events/{topic}?from=earliest") as source:
            last_id = source.wait_for(4)[3].last_event_id
    delete_before(kafka, topic, 8)
    with (
        serving(kafka.bootstrap_servers) as server,
        EventSource(server.port, f"/events/{topic}", last_id) as source,
    ):
        source.wait_for(2)
        gap, *events = source.stream.dispatched
        assert gap.type == "gap"
        assert gap.json["partitions"] == [{"partition": 0, "expected_offset": 4, "offset": 8}]
        assert "retention" in gap.json["detail"]
        assert [event.json["value"] for event in events] == [8, 9]
        with EventSource(server.port, f"/events/{topic}", gap.last_event_id) as again:
            assert [event.json["value"] for event in again.wait_for(2)] == [8, 9]
            assert not again.of_type("gap")


def test_events_of_a_topic_made_anew_begin_with_the_oldest_and_say_so(kafka, make_topic, publish):
    topic = make_topic()
    publish(topic, b"0", b"1")
    admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
    with serving(kafka.bootstrap_servers, look_s=0.3) as server:
        with EventSource(server.port, f"/events/{topic}?from=earliest") as source:
            source.wait_for(2)
            admin.delete_topic(topic)
            admin.create_topic(topic)
            publish(topic, b"10", b"11", b"12")
            wait_until(source.ended.is_set, TIMEOUT_S, "the end of the old topic's stream")
            assert source.stream.dispatched[-1].type == "end"
            assert source.stream.dispatched[-1].json["reason"] in {"topic-gone", "topic-replaced"}
        with EventSource(server.port, f"/events/{topic}", source.last_event_id) as again:
            again.wait_for(3)
            gap, *events = again.stream.dispatched
            assert gap.type == "gap"
            assert gap.json["partitions"] == [{"partition": 0, "expected_offset": None,
                                               "offset": 0}]  # fmt: skip
            assert [event.json["value"] for event in events] == [10, 11, 12]


def test_a_topic_that_is_deleted_ends_its_streams_with_a_reason(kafka, make_topic):
    topic = make_topic()
    with (
        serving(kafka.bootstrap_servers, look_s=0.3) as server,
        EventSource(server.port, f"/events/{topic}") as source,
    ):
        Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)).delete_topic(topic)
        wait_until(source.ended.is_set, TIMEOUT_S, "the end")
        assert source.stream.dispatched[-1].json["reason"] == "topic-gone"
        assert server.get(f"/events/{topic}")[0] == 404


def test_a_position_beyond_the_end_begins_with_the_oldest_and_says_so(topic, listen, publish):
    publish(topic, b"0")
    tag = listen(topic).last_event_id.split(":")[0]
    source = listen(topic, f"{tag}:77")
    source.wait_for(1)
    assert source.of_type("gap")[0].json["partitions"] == [
        {"partition": 0, "expected_offset": 77, "offset": 0}
    ]


def test_partitions_made_later_are_read_from_their_beginning(kafka, topic, listen, publish):
    source = listen(topic)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(20)
    before = source.last_event_id
    publish(topic, b"1", b"2", partition=2)
    publish(topic, b"0")
    assert sorted(event.json["value"] for event in source.wait_for(3)) == [0, 1, 2]
    assert source.last_event_id.endswith(":1,0,2")
    again = listen(topic, before)
    assert sorted(event.json["value"] for event in again.wait_for(3)) == [0, 1, 2]
    assert again.last_event_id.endswith(":1,0,2")


def offsets_told(source):
    (gap,) = source.of_type("gap")
    (told,) = gap.json["partitions"]
    return told["expected_offset"], told["offset"]


def test_events_deleted_before_the_feed_read_them_are_a_gap_for_every_client(kafka, topic, publish):
    with (
        serving(kafka.bootstrap_servers) as server,
        EventSource(server.port, f"/events/{topic}") as source,
        EventSource(server.port, f"/events/{topic}?key=none") as keyed,
    ):
        publish(topic, b"0")
        source.wait_for(1)
        server.process.send_signal(signal.SIGSTOP)
        for n in range(1, 10):
            publish(topic, b"%d" % n)
        delete_before(kafka, topic, 8)
        server.process.send_signal(signal.SIGCONT)
        keyed.wait_for(1, "gap")
        source.wait_for(1, "gap")
        wait_until(lambda: source.places[-1] == (0, 9), TIMEOUT_S, "the newest event")
        expected, resumed = offsets_told(source)
        assert resumed == 8
        assert source.places == [(0, offset) for offset in (*range(expected), 8, 9)]
        assert offsets_told(keyed) == (expected, resumed)


def test_events_deleted_while_a_client_waits_for_its_turn_are_a_gap(kafka, topic, publish):
    publish(topic, *[b'"%s"' % (b"x" * 20_000)] * 300)
    settings = {"events_catch_up_readers": 1, "events_client_bytes": 65_536}
    with serving(kafka.bootstrap_servers, **settings) as server:
        with EventSource(
            server.port, f"/events/{topic}?from=earliest", receive_buffer=4096
        ) as first:
            first.pause()
            waiting = EventSource(server.port, f"/events/{topic}?from=earliest").start()
            wait_until(
                lambda: server.state["samples"]["eventstream_gateway_streams_catching_up"] == 2,
                TIMEOUT_S,
                "both to want a reader",
            )
            delete_before(kafka, topic, 298)
        waiting.wait_for(2)
        waiting.leave()
    assert offsets_told(waiting) == (0, 298)
    assert waiting.places == [(0, 298), (0, 299)]
