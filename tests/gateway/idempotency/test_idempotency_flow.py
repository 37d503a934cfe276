"""Keyed requests on a real Kafka, with each store."""

import asyncio
import contextlib
import secrets
import time

import msgspec
import pytest
from keyed_publisher import keyed, make_answer, publisher

from eventstream.errors import KafkaUnavailable
from eventstream.gateway.answers import Answer
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.idempotency.contract import Ask, StoreUnavailable, pack, unpack
from eventstream.gateway.idempotency.flow import REPLAYED
from eventstream.gateway.idempotency.marks import Mark, marked
from eventstream.gateway.idempotency.memory import MemoryStore
from eventstream.gateway.idempotency.settlement import Lease
from eventstream.gateway.idempotency.topic_log import TopicLog, earliest, pack_start, unpack_start
from eventstream.gateway.problems import Problem, Rejected
from eventstream.settings import KafkaSettings
from records import read_log, read_records

pytestmark = pytest.mark.kafka

LASTING = Lease(60.0, 120.0)
INVALID = Problem(400, "invalid-json", "The line is not JSON.")
UNKNOWN = Problem(504, "outcome-unknown", "No acknowledgement came.")
UNAVAILABLE = Problem(503, "kafka-unavailable", "No broker answered.", 1)


@pytest.fixture
def on(open_store, kafka, topic):
    """Run a story with the flow on a new store: it gets the flow, what sends, and the store."""

    def on(story, **settings):
        async def main():
            async with (
                open_store() as store,
                publisher(kafka.bootstrap_servers, topic, store, **settings) as (flow, sender),
            ):
                return await story(flow, sender, store)

        return asyncio.run(main())

    return on


@contextlib.contextmanager
def refused(status):
    with pytest.raises(Rejected) as caught:
        yield caught
    assert caught.value.problem.status == status


def test_the_same_request_gets_the_first_answer_again_and_writes_nothing(on, kafka, topic):
    async def story(flow, sender, store):
        first = await flow.publish(keyed(topic), sender, make_answer)
        again = [await flow.publish(keyed(topic), sender, make_answer) for _ in range(3)]
        assert REPLAYED not in first.fields
        for answer in again:
            assert (answer.status, answer.body) == (first.status, first.body)
            assert set(answer.fields) == {*first.fields, REPLAYED}
        assert set(store.fields) <= set(first.fields)

    on(story, lease=LASTING)
    assert read_log(kafka, topic) == [(None, b"v")]


def test_the_record_carries_the_key_as_it_was_given(on, kafka, topic):
    async def story(flow, sender, _):
        await flow.publish(keyed(topic, b'a "key"'), sender, make_answer)

    on(story)
    (record,) = read_records(kafka, topic)
    ((name, value),) = record.headers()
    assert name == "idempotency-key"
    assert value.startswith(rb'"a \"key\"";mark="')
    assert value.endswith(b";index=0")


def test_another_body_with_the_key_is_422(on, kafka, topic):
    async def story(flow, sender, _):
        await flow.publish(keyed(topic), sender, make_answer)
        with refused(422):
            await flow.publish(keyed(topic, values=(b"another",)), sender, make_answer)

    on(story)
    assert read_log(kafka, topic) == [(None, b"v")]


def test_while_the_first_is_under_way_others_are_409(on, kafka, topic):
    async def story(flow, sender, _):
        go_on = asyncio.Event()
        began = asyncio.Event()

        async def slow(records):
            began.set()
            await go_on.wait()
            return await sender(records)

        first = asyncio.ensure_future(flow.publish(keyed(topic), slow, make_answer))
        await began.wait()
        with refused(409) as caught:
            await flow.publish(keyed(topic), sender, make_answer)
        assert caught.value.problem.retry_after_s == 1
        go_on.set()
        await first

    on(story, lease=LASTING)
    assert read_log(kafka, topic) == [(None, b"v")]


def test_of_many_at_once_one_publishes_and_no_two_answers_differ(on, kafka, topic):
    async def one(flow, sender, key):
        try:
            return (await flow.publish(keyed(topic, b"%d" % key), sender, make_answer)).body
        except Rejected as rejected:
            if rejected.problem.status != 409:
                raise
            return None

    async def story(flow, sender, _):
        bodies = await asyncio.gather(*(one(flow, sender, number % 20) for number in range(400)))
        later = [await one(flow, sender, key) for key in range(20)]
        for number, body in enumerate(bodies):
            assert body in {None, later[number % 20]}
        assert len(set(later)) == 20

    on(story, lease=LASTING)
    assert len(read_log(kafka, topic)) == 20


def test_an_unknown_outcome_is_settled_by_the_next_retry_that_looks(on, kafka, topic):
    async def story(flow, sender, _):
        async def deaf(records):
            await sender(records)
            return [UNKNOWN for _ in records]

        async def lost(records):
            return [UNKNOWN for _ in records]

        await flow.publish(keyed(topic, b"there"), deaf, make_answer)
        await flow.publish(keyed(topic, b"lost"), lost, make_answer)
        with refused(409):
            await flow.publish(keyed(topic, b"there"), sender, make_answer)
        there = await insist(flow, sender, b"there")
        lost = await insist(flow, sender, b"lost")
        assert REPLAYED in there.fields
        assert REPLAYED not in lost.fields
        assert there.body != lost.body

    async def insist(flow, sender, key):
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(Rejected):
                return await flow.publish(keyed(topic, key), sender, make_answer)
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    on(story)
    assert len(read_log(kafka, topic)) == 2


def test_a_retry_publishes_only_the_lines_that_are_missing_in_their_order(on, kafka, topic):
    values = (b"0", INVALID, b"2", b"3", b"4")

    async def story(flow, sender, _):
        async def every_other(records):
            placed = await sender(records[::2])
            return [placed[0], UNAVAILABLE, placed[1], UNAVAILABLE]

        first = await flow.publish(keyed(topic, values=values), every_other, make_answer)
        second = await flow.publish(keyed(topic, values=values), sender, make_answer)
        third = await flow.publish(keyed(topic, values=values), sender, make_answer)
        assert first.body != second.body == third.body
        assert REPLAYED in third.fields
        assert sender.sent == 4

    on(story, lease=LASTING)
    assert [value for _, value in read_log(kafka, topic)] == [b"0", b"3", b"2", b"4"]


@pytest.mark.parametrize("how", ["raises", "tells"])
def test_what_wrote_nothing_leaves_the_key_free(how, on, kafka, topic):
    async def story(flow, sender, _):
        async def refusing(records):
            if how == "raises":
                raise Rejected(UNAVAILABLE)
            return [UNAVAILABLE for _ in records]

        if how == "raises":
            with refused(503):
                await flow.publish(keyed(topic), refusing, make_answer)
        else:
            await flow.publish(keyed(topic), refusing, make_answer)
        await flow.publish(keyed(topic, values=(b"another",)), sender, make_answer)

    on(story, lease=LASTING)
    assert read_log(kafka, topic) == [(None, b"another")]


def test_an_owner_that_is_too_late_publishes_nothing(on, kafka, topic):
    async def story(flow, sender, _):
        with refused(503):
            await flow.publish(keyed(topic), sender, make_answer)
        assert not sender.sent

    on(story, lease=Lease(-1.0, 60.0))
    assert read_log(kafka, topic) == []


def test_kafka_away_during_a_search_is_503_and_the_key_stays_stale(on, kafka, topic):
    async def story(flow, sender, store):
        left = keyed(topic)
        token = secrets.token_bytes(16)
        await store.reserve(Ask(left.id, left.fingerprint, token, pack_start({0: 0}), 0.0))
        record = marked(left.records[0], left.key, Mark(token, 0))
        (placed,) = await sender([record])
        find = flow._topics.find

        async def away(*_):
            raise KafkaUnavailable("Kafka did not answer; try again.")

        flow._topics.find = away
        with refused(503):
            await flow.publish(left, sender, make_answer)
        flow._topics.find = find
        answer = await flow.publish(left, sender, make_answer)
        assert answer.body == make_answer([placed]).body

    on(story, lease=LASTING)
    assert len(read_log(kafka, topic)) == 1


def test_a_store_away_is_503_before_anything_is_published(kafka, topic):
    class Away(MemoryStore):
        async def reserve(self, *_):
            raise StoreUnavailable("The store is away; try again.")

    async def story():
        store = Away(60, 10, 10_000, time.monotonic)
        async with publisher(kafka.bootstrap_servers, topic, store) as (flow, sender):
            with refused(503) as caught:
                await flow.publish(keyed(topic), sender, make_answer)
            assert caught.value.problem.name == "idempotency-unavailable"

    asyncio.run(story())
    assert read_log(kafka, topic) == []


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(kafka, topic):
    class Forgetful(MemoryStore):
        async def complete(self, *_):
            raise StoreUnavailable("The store is away; try again.")

    async def story():
        store = Forgetful(60, 10, 10_000, time.monotonic)
        async with publisher(kafka.bootstrap_servers, topic, store) as (flow, sender):
            return await flow.publish(keyed(topic), sender, make_answer)

    assert asyncio.run(story()).status == 200


def test_records_are_found_in_all_partitions_from_where_the_topic_ended_before(kafka, make_topic):
    topic = make_topic(partitions=3)

    async def story():
        store = MemoryStore(60, 10, 10_000, time.monotonic)
        async with publisher(kafka.bootstrap_servers, topic, store, 3) as (_, sender):
            log = TopicLog(
                KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
                {topic: 3},
                time.monotonic,
            )
            records = keyed(topic, values=[b"%d" % number for number in range(30)]).records
            mark, other = secrets.token_bytes(16), secrets.token_bytes(16)
            start = await log.start(topic)
            placed = await sender(
                [
                    marked(record, b"k", Mark(mark if number % 2 else other, number))
                    for number, record in enumerate(records)
                ]
            )
            later = TopicLog(log._kafka, {topic: 3}, time.monotonic)
            beyond = await later.start(topic)
            found, others, none, after = await asyncio.gather(
                log.find(topic, start, mark),
                log.find(topic, start, other),
                log.find(topic, start, secrets.token_bytes(16)),
                later.find(topic, beyond, mark),
            )
            log.close()
            later.close()
            return placed, found, others, none, after

    placed, found, others, none, after = asyncio.run(story())
    assert found == dict(list(enumerate(placed))[1::2])
    assert others == dict(list(enumerate(placed))[::2])
    assert none == after == {}
    assert all(isinstance(each, Placed) for each in placed)


def test_a_start_beyond_the_topic_s_end_reads_it_whole(kafka, topic):
    """A topic deleted and made anew begins at 0 again."""

    async def story():
        store = MemoryStore(60, 10, 10_000, time.monotonic)
        async with publisher(kafka.bootstrap_servers, topic, store) as (flow, sender):
            mark = secrets.token_bytes(16)
            (placed,) = await sender([marked(keyed(topic).records[0], b"k", Mark(mark, 0))])
            assert await flow._topics.find(topic, pack_start({0: 99}), mark) == {0: placed}

    asyncio.run(story())


def test_starts_are_read_back_and_the_earliest_counts():
    assert unpack_start(pack_start({0: 5, 1: 7})) == {0: 5, 1: 7}
    assert earliest([{0: 5, 1: 7}, {0: 6, 1: 3, 2: 9}]) == {0: 5, 1: 3}


def test_an_answer_is_stored_as_an_array_of_its_parts():
    parts = (200, ((b"content-type", b"application/json"),), b"{}")
    assert pack(Answer(*parts)) == msgspec.msgpack.encode(parts)
    assert unpack(pack(Answer(*parts))) == Answer(*parts)
