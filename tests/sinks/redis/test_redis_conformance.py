"""The sink for Redis does what every sink does."""

import contextlib
import uuid

import pytest
import redis

from eventstream.events import Event
from eventstream.sinks.redis import Add, HashSet, Redis, StreamAdd, library
from sinks.conformance import SinkConformance
from sinks.cutting import Wire


class RedisTarget:
    def __init__(self, url, tag, reach=None):
        self._url = url
        self._tag = tag
        self._reach = reach or url
        self.poisons = [no_json, tombstone, meets_a_list, meets_a_text, spoils_its_own_counter]

    def sink(self):
        return Redis(self._commands, url=self._reach, key_tag=self._tag).connect(lambda: None)

    def _commands(self, event):
        effect = StreamAdd(f"{self._tag}:{event.partition}", {"offset": event.offset})
        what = event.json()
        if what == "hash":
            return [effect, HashSet(f"{self._tag}:list", {"field": 1})]
        if what == "counter":
            return [Add(f"{self._tag}:text"), effect]
        if what == "both":
            own = f"{self._tag}:{event.offset}"
            return [effect, Add(own, 2**63 - 1), Add(own)]
        return [effect]

    def event(self, partition, offset):
        return event(partition, offset, b"0")

    def written(self, partition):
        with redis.Redis.from_url(self._url, protocol=2) as client:
            entries = client.xrange(f"{self._tag}:{partition}")
            return [int(fields[b"offset"]) for _, fields in entries]

    @contextlib.asynccontextmanager
    async def wire(self, how):
        hows = iter([how])

        def cut_at(data):
            return next(hows, None) if b"FCALL" in data and library.WRITE in data else None

        async with Wire(self._url, cut_at) as wire:
            target = RedisTarget(self._url, self._tag, wire.url)
            target.let_go = wire.let_go
            target.held = wire.held
            yield target
        assert wire.cuts == 1


def event(partition, offset, value):
    return Event("orders", value, b"key", partition=partition, offset=offset, timestamp_ms=1)


def no_json(partition, offset):
    return event(partition, offset, b"{")


def tombstone(partition, offset):
    return event(partition, offset, None)


def meets_a_list(partition, offset):
    return event(partition, offset, b'"hash"')


def meets_a_text(partition, offset):
    return event(partition, offset, b'"counter"')


def spoils_its_own_counter(partition, offset):
    return event(partition, offset, b'"both"')


@pytest.fixture
def target(valkey):
    tag = uuid.uuid4().hex
    with redis.Redis.from_url(valkey.url, protocol=2) as client:
        client.rpush(f"{tag}:list", "item")
        client.set(f"{tag}:text", "text")
    return RedisTarget(valkey.url, tag)


class TestRedis(SinkConformance):
    """See `SinkConformance`."""
