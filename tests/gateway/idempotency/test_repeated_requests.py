"""Repeated requests over two gateways that share a PostgreSQL, while one of them is killed.

Long runs are marked slow; how many rounds they have comes from FAULTS, 20 if it is not set.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import urllib.request
from collections import Counter

import pytest
from gateways import running_gateway
from http_bytes import request, status
from insisting import Insisting, exchange
from prometheus_client.parser import text_string_to_metric_families

from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings
from records import read_records
from waiting import wait_until

pytestmark = pytest.mark.kafka

FAULTS = int(os.environ.get("FAULTS", "20"))
FOUND = ("new", "answered", "in_progress", "taken_over", "reused", "unknown")
LINES = 5
PARTITIONS = 3
LANES = {
    "fast and asgi": ("--fast-lane", "--no-fast-lane"),
    "both fast": ("--fast-lane", "--fast-lane"),
    "both asgi": ("--no-fast-lane", "--no-fast-lane"),
}
# A lease of ten seconds, and records that wait long enough to be caught by a kill.
QUICK = ("--delivery-timeout-s=2", "--linger-ms=30")
_MARK = re.compile(rb'"(.*)";mark="[0-9a-f]{32}";index=(\d+)')


class Pair:
    """Two gateways, each of which may be killed and come back where it was."""

    def __init__(self, kafka, home, dsn, lanes):
        self._kafka = kafka
        self._home = home
        self._options = ("--idempotency-store=postgres", f"--idempotency-dsn={dsn}", *QUICK)
        self._lanes = lanes
        self._stacks = [contextlib.ExitStack(), contextlib.ExitStack()]
        self.gateways = [self._start(0), self._start(1)]

    def _start(self, number, port=0):
        starting = running_gateway(
            self._kafka,
            self._home / str(number),
            *self._options,
            self._lanes[number],
            f"--port={port}",
        )
        return self._stacks[number].enter_context(starting)

    @property
    def ports(self):
        return [gateway.port for gateway in self.gateways]

    def kill(self, number):
        gateway = self.gateways[number]
        assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
        self._stacks[number].close()

    def start_again(self, number):
        self.gateways[number] = self._start(number, self.gateways[number].port)

    async def kill_and_start_again(self, number):
        self.kill(number)
        await asyncio.to_thread(self.start_again, number)

    def counted(self, metric, **labels):
        """Sum up a counter of both."""
        return sum(counted(gateway, metric, **labels) for gateway in self.gateways)

    def close(self):
        for stack in self._stacks:
            stack.close()


def counted(gateway, metric, **labels):
    """Read a metric of a gateway."""
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=10) as page:
        families = text_string_to_metric_families(page.read().decode())
    return sum(
        one.value
        for family in families
        for one in family.samples
        if one.name == f"eventstream_gateway_{metric}" and one.labels == labels
    )


@pytest.fixture
def start_pair(kafka, tmp_path):
    """Start two gateways on a database; they end with the test."""
    with contextlib.ExitStack() as pairs:

        def start(dsn, lanes="fast and asgi"):
            pair = Pair(kafka, tmp_path / "gateways", dsn, LANES[lanes])
            pairs.callback(pair.close)
            return pair

        yield start


def written(kafka, topic):
    """Return every record of a topic by the key and the number its header has."""
    records = {}
    for record in read_records(kafka, topic, PARTITIONS):
        ((_, header),) = [pair for pair in record.headers() if pair[0] == "idempotency-key"]
        key, number = _MARK.fullmatch(header).groups()
        place = key.decode(), int(number)
        assert place not in records, f"{place} was written twice"
        records[place] = record
    return records


def check_events(kafka, topic, load):
    """One event a key, and every answer names its place."""
    records = written(kafka, topic)
    agreed = load.agreed()
    assert len(records) == load.keys
    for key, content in agreed.items():
        record = records[key, 0]
        assert (content["partition"], content["offset"]) == (record.partition(), record.offset())


def check_lines(kafka, topic, load):
    """Every line once, and every answer names the range it stands in."""
    records = written(kafka, topic)
    agreed = load.agreed()
    assert len(records) == load.keys * LINES
    for key, content in agreed.items():
        assert content["published"] == LINES
        ranges = {one["partition"]: one for one in content["partitions"]}
        counts = Counter()
        for number in range(LINES):
            record = records[key, number]
            counts[record.partition()] += 1
            stated = ranges[record.partition()]
            assert stated["first_offset"] <= record.offset() <= stated["last_offset"]
        assert counts == {number: one["published"] for number, one in ranges.items()}


def one_event(number):
    return b'{"n":%d}' % number


def some_lines(number):
    return b"".join(b'{"n":%d,"line":%d}\n' % (number, line) for line in range(LINES))


async def with_a_kill(pair, load, chance):
    """Run a load, and kill a gateway at some moment in the middle of it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        await load.first.wait()
        await asyncio.sleep(chance.uniform(0, load.within_s))
        tasks.create_task(pair.kill_and_start_again(chance.randrange(2)))


def test_a_killed_gateway_costs_no_event_and_doubles_none(
    kafka, make_topic, postgres_database, start_pair
):
    topic = make_topic(PARTITIONS)
    pair = start_pair(postgres_database)

    async def story():
        load = Insisting(pair.ports, f"/publish/{topic}", one_event, seed=1)
        await with_a_kill(pair, load, random.Random(1))
        return load

    load = asyncio.run(story())
    assert load.seen[200] == 1000
    assert load.seen["no answer"] > 0
    check_events(kafka, topic, load)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["event", "lines"])
@pytest.mark.parametrize("lanes", list(LANES))
def test_kills_at_any_moment_cost_no_event_and_double_none(
    kafka, make_topic, postgres_database, start_pair, lanes, form
):
    pair = start_pair(postgres_database, lanes)
    seen = Counter()
    content_type, body, check = {
        "event": ("application/json", one_event, check_events),
        "lines": ("application/x-ndjson", some_lines, check_lines),
    }[form]

    async def story(topic, seed):
        load = Insisting(pair.ports, f"/publish/{topic}", body, seed, content_type)
        await with_a_kill(pair, load, random.Random(seed))
        return load

    for seed in range(FAULTS):
        topic = make_topic(PARTITIONS)
        load = asyncio.run(story(topic, seed))
        check(kafka, topic, load)
        seen += load.seen
    found = {name: pair.counted("keyed_requests_total", key=name) for name in FOUND}
    print(f"{FAULTS} kills, {lanes}, {form}: answers {dict(seen)}, keys found {found}")


@pytest.mark.slow
def test_a_database_that_crashes_costs_no_event_and_doubles_none(
    kafka, make_topic, tmp_path, start_pair
):
    home = HomeSettings(home=tmp_path / "postgres")
    server = start_postgres(home)
    pair = start_pair(server.dsn)
    seen = Counter()

    async def story(topic, seed):
        chance = random.Random(seed)
        load = Insisting(pair.ports, f"/publish/{topic}", one_event, seed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            await load.first.wait()
            await asyncio.sleep(chance.uniform(0, load.within_s))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(start_postgres, home, server.port)
            if seed % 2:
                tasks.create_task(pair.kill_and_start_again(chance.randrange(2)))
        return load

    try:
        for seed in range(FAULTS):
            topic = make_topic(PARTITIONS)
            load = asyncio.run(story(topic, seed))
            check_events(kafka, topic, load)
            seen += load.seen
        print(f"{FAULTS} crashes of the database: answers {dict(seen)}")
    finally:
        pair.close()
        start_postgres(home, server.port).discard()


@pytest.mark.parametrize("lane", ["--fast-lane", "--no-fast-lane"])
def test_one_process_keeps_keys_in_memory_and_says_so(kafka, make_topic, tmp_path, lane):
    topic = make_topic(PARTITIONS)
    with running_gateway(kafka, tmp_path, lane) as gateway:

        async def story():
            load = Insisting([gateway.port], f"/publish/{topic}", one_event, seed=2)
            await load.run()
            return load

        load = asyncio.run(story())
        assert counted(gateway, "keyed_requests_total", key="new") == load.keys
        assert counted(gateway, "keyed_requests_total", key="answered") == 900
    check_events(kafka, topic, load)
    for answers in load.answers.values():
        assert all(b"idempotency-scope: process\r\n" in answer for answer in answers)


@pytest.mark.parametrize("lane", ["--fast-lane", "--no-fast-lane"])
def test_a_stop_answers_the_keyed_requests_it_took(
    kafka, make_topic, tmp_path, postgres_database, lane
):
    topic = make_topic(PARTITIONS)
    store = ("--idempotency-store=postgres", f"--idempotency-dsn={postgres_database}")
    with running_gateway(kafka, tmp_path, lane, "--linger-ms=1000", *store) as gateway:

        async def story():
            asked = [
                asyncio.create_task(
                    exchange(
                        gateway.port,
                        request(f"/publish/{topic}", b"%d" % number, Idempotency_Key=number),
                    )
                )
                for number in range(50)
            ]
            await asyncio.to_thread(
                wait_until,
                lambda: counted(gateway, "in_flight_events") == len(asked),
                20,
                "all requests are taken",
            )
            gateway.process.send_signal(signal.SIGTERM)
            return await asyncio.gather(*asked)

        answers = asyncio.run(story())
        assert gateway.process.wait(30) == 0
    assert {status(answer) for answer in answers} == {200}
    assert len(written(kafka, topic)) == len(answers)
