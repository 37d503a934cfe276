"""The sink for Redis while its server is killed, flushed, full, made a replica or strict."""

import asyncio
import contextlib

import pytest
import redis
from structlog.testing import capture_logs

from eventstream.events import Event
from eventstream.sinks.contract import Fenced, Poisoned, SinkRefused, SinkUnavailable
from eventstream.sinks.redis import Add, HashSet, Redis, Set, StreamAdd, batches, library
from eventstream.sinks.redis import sink as sink_module

pytestmark = pytest.mark.anyio

SOON_S = 20.0
LEDGER = "eventstream:{eventstream}:group:orders:0"


def effects(event):
    if event.value == b"hash":
        return [HashSet("list", {"field": 1})]
    return [StreamAdd("log", {"offset": event.offset}), Add("count")]


def events(*offsets, value=b""):
    return [Event("orders", value, partition=0, offset=offset) for offset in offsets]


@contextlib.asynccontextmanager
async def opened(url, commands=effects, on_void=lambda: None):
    sink = Redis(commands, url=url).connect(on_void)
    await sink.open("group", "orders")
    try:
        yield sink
    finally:
        await sink.close()


@contextlib.asynccontextmanager
async def tenure_of(url, commands=effects, on_void=lambda: None):
    async with opened(url, commands, on_void) as sink:
        yield await sink.take_over(0, 0)


def client_of(server, **settings):
    return redis.Redis.from_url(server.url, protocol=2, **settings)


def written(server):
    with client_of(server) as client:
        offsets = [int(fields[b"offset"]) for _, fields in client.xrange("log")]
        assert len(offsets) == int(client.get("count") or 0)
        return offsets


async def persist(tenure, batch, next_offset):
    """Write as a worker does: again, after a pause, as long as the server cannot."""
    while True:
        try:
            return await tenure.write(batch, next_offset)
        except SinkUnavailable:
            await asyncio.sleep(0.01)


async def write_on(tenure):
    while True:
        await tenure.write(events(tenure.next_offset), tenure.next_offset + 1)


async def test_a_server_that_is_killed_has_every_event_once(own_valkey):
    voids, position = [], asyncio.Condition()

    async def write_all(tenure):
        for start in range(0, 3000, 5):
            await persist(tenure, events(*range(start, start + 5)), start + 5)
            async with position:
                position.notify_all()

    async with tenure_of(own_valkey.url, on_void=lambda: voids.append(1)) as tenure:
        writing = asyncio.create_task(write_all(tenure))
        async with asyncio.timeout(SOON_S):
            for reached in (500, 1000, 1500):
                async with position:
                    await position.wait_for(lambda reached=reached: tenure.next_offset >= reached)
                await asyncio.to_thread(own_valkey.kill)
                await asyncio.to_thread(own_valkey.restart)
            await writing
    assert len(voids) == 3
    assert written(own_valkey) == list(range(3000))


async def test_a_server_that_lost_its_last_writes_gets_them_again(own_valkey):
    voided = asyncio.Event()
    async with opened(own_valkey.url, on_void=voided.set) as sink:
        tenure = await sink.take_over(0, 0)
        await tenure.write(events(*range(10)), 10)
        with client_of(own_valkey) as client:
            client.config_set("appendonly", "no")
        await tenure.write(events(*range(10, 20)), 20)
        own_valkey.kill()
        own_valkey.restart()
        assert written(own_valkey) == list(range(10))
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(20), 21)
        with pytest.raises(Fenced, match="lost"):
            await tenure.write(events(20), 21)
        await voided.wait()
        tenure = await sink.take_over(0, 20)
        assert tenure.next_offset == 10
        await tenure.write(events(*range(10, 21)), 21)
    assert written(own_valkey) == list(range(21))


async def test_a_server_without_the_position_ends_the_tenure(own_valkey):
    voided = asyncio.Event()
    async with tenure_of(own_valkey.url, on_void=voided.set) as tenure:
        await tenure.write(events(0), 1)
        with client_of(own_valkey) as client:
            client.flushall()
        with pytest.raises(Fenced, match="lost"):
            await tenure.write(events(1), 2)
        with pytest.raises(Fenced, match="lost"):
            await tenure.add(*events(0))
        await voided.wait()
    assert written(own_valkey) == []


async def test_another_owner_of_the_same_epoch_ends_a_tenure_too(own_valkey):
    async with opened(own_valkey.url) as sink:
        old = await sink.take_over(0, 0)
        with client_of(own_valkey) as client:
            client.hset(LEDGER, "epoch", 0)
        new = await sink.take_over(0, 0)
        with pytest.raises(Fenced):
            await old.write(events(0), 1)
        await new.write(events(0), 1)
    assert written(own_valkey) == [0]


async def test_a_restart_is_told_of_while_nothing_is_written(own_valkey, monkeypatch):
    monkeypatch.setattr(sink_module, "LOOK_PAUSE_S", 0.02)
    voided = asyncio.Event()
    async with opened(own_valkey.url, on_void=voided.set):
        await asyncio.to_thread(own_valkey.kill)
        await asyncio.to_thread(own_valkey.restart)
        async with asyncio.timeout(SOON_S):
            await voided.wait()


async def test_functions_that_are_gone_are_put_there_again(own_valkey):
    with client_of(own_valkey) as client:
        async with tenure_of(own_valkey.url) as tenure:
            for offset in range(3):
                client.function_flush("SYNC")
                await tenure.write(events(offset), offset + 1)
            client.function_flush("SYNC")
            await tenure.add(*events(0))
    assert written(own_valkey) == [0, 1, 2, 0]


async def test_more_than_one_call_may_have_is_written_by_several(own_valkey, monkeypatch):
    monkeypatch.setattr(batches, "MOST_WORDS", 40)
    with client_of(own_valkey) as client:
        client.rpush("list", "item")
    async with tenure_of(own_valkey.url) as tenure:
        await tenure.write(events(*range(20)), 25)
        assert tenure.next_offset == 25
        batch = events(*range(25, 45))
        batch[15].value = b"hash"
        with pytest.raises(Poisoned) as raised:
            await tenure.write(batch, 45)
        assert list(raised.value.reasons) == [40]
        del batch[15]
        await tenure.write(batch, 45)
        assert tenure.next_offset == 45
    expected = [*range(20), *range(25, 45)]
    expected.remove(40)
    assert written(own_valkey) == expected


async def test_a_command_that_fails_in_spite_of_all_doubles_nothing(own_valkey, monkeypatch):
    code = library.CODE.replace(b"function does.HSET(", b"function does.HSET() end function gone(")
    monkeypatch.setattr(library, "CODE", code.replace(b"function gone(", b"local function gone("))
    with client_of(own_valkey) as client:
        client.rpush("list", "item")
    async with tenure_of(own_valkey.url) as tenure:
        batch = [*events(0), *events(1, value=b"hash"), *events(2)]
        with capture_logs() as logs, pytest.raises(Poisoned) as raised:
            await tenure.write(batch, 3)
        assert list(raised.value.reasons) == [1]
        assert [line["log_level"] for line in logs] == ["error"]
        await tenure.write([batch[0], batch[2]], 3)
    assert written(own_valkey) == [0, 2]


async def test_what_a_server_cannot_do_now_is_waited_for(own_valkey, monkeypatch):
    monkeypatch.setattr(sink_module, "OPEN_TIMEOUT_S", 0.2)
    async with tenure_of(own_valkey.url) as tenure:
        with client_of(own_valkey) as client:
            client.config_set("maxmemory", "1mb")
            with pytest.raises(SinkUnavailable, match="maxmemory"):
                await tenure.write(events(0), 1)
            client.config_set("maxmemory", "0")
            client.replicaof("127.0.0.1", 1)
            with pytest.raises(SinkUnavailable, match="replica"):
                await tenure.write(events(0), 1)
            with pytest.raises(SinkUnavailable, match="replica"):
                async with opened(own_valkey.url):
                    pass
            client.replicaof("NO", "ONE")
        await tenure.write(events(0), 1)
    assert written(own_valkey) == [0]


async def test_a_server_that_is_busy_is_waited_for(own_valkey):
    endless = "while redis.call('EXISTS', KEYS[1]) do end"

    def occupy():
        with client_of(own_valkey) as client, contextlib.suppress(redis.ResponseError):
            client.eval(endless, 1, "log")

    async with tenure_of(own_valkey.url) as tenure:
        with client_of(own_valkey) as client:
            client.config_set("busy-reply-threshold", 1)
            busy = asyncio.create_task(asyncio.to_thread(occupy))
            with pytest.raises(SinkUnavailable, match="BUSY"):
                await write_on(tenure)
            client.script_kill()
        await busy
        offset = tenure.next_offset
        await tenure.write(events(offset), offset + 1)
    assert written(own_valkey) == list(range(offset + 1))


async def test_what_the_user_may_not_is_said_and_nothing_written(own_valkey):
    with client_of(own_valkey) as client:
        rights = ["-@all", "+fcall", "+info", "+hmget", "+hset", "+hsetnx", "+hget", "+hincrby"]
        rights += ["+type", "+incrby", "+get", "~*", ">secret"]
        client.execute_command("ACL", "SETUSER", "clerk", "on", *rights)
        url = "redis://clerk:secret@" + own_valkey.url.partition("@")[2]
        with pytest.raises(SinkRefused, match="FUNCTION LOAD"):
            async with tenure_of(url):
                pass
        client.execute_command("ACL", "SETUSER", "clerk", "+function|load")
        with capture_logs() as logs:
            async with tenure_of(url) as tenure:
                with pytest.raises(SinkRefused, match="may not XADD"):
                    await tenure.write(events(0), 1)
                assert client.exists("count", "log") == 0
                client.execute_command("ACL", "SETUSER", "clerk", "+xadd", "+xinfo")
                await tenure.write(events(0), 1)
        assert "not known" in logs[0]["event"]


async def test_nobody_is_told_a_password(own_valkey):
    url = own_valkey.url.replace("redis://default:", "redis://default:wrong-")
    sink = Redis(effects, url=url)
    assert "wrong" not in repr(sink)
    with pytest.raises(SinkRefused) as raised:
        async with tenure_of(url):
            pass
    assert "wrong-" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_server_that_is_not_there_is_waited_for_a_while(own_valkey, monkeypatch):
    monkeypatch.setattr(sink_module, "OPEN_TIMEOUT_S", 0.2)
    own_valkey.kill()
    with pytest.raises(SinkUnavailable):
        async with opened(own_valkey.url):
            pass


async def test_what_a_server_may_lose_is_logged(own_valkey):
    with client_of(own_valkey) as client:
        client.config_set("appendfsync", "everysec")
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    with capture_logs() as logs:
        async with opened(own_valkey.url):
            pass
    assert [line["problem"].partition(":")[0] for line in logs] == [
        "appendfsync is everysec",
        "maxmemory-policy is allkeys-lru",
    ]


async def test_a_key_may_expire(own_valkey):
    async with tenure_of(own_valkey.url, lambda _: [Set("session", "x", expire_s=60)]) as tenure:
        await tenure.write(events(0), 1)
    with client_of(own_valkey) as client:
        assert 50_000 < client.pttl("session") <= 60_000


async def test_positions_are_nobody_elses_to_write(own_valkey):
    async with tenure_of(own_valkey.url, lambda _: [Set(LEDGER, "x")]) as tenure:
        with pytest.raises(Poisoned):
            await tenure.write(events(0), 1)
