"""The sink for Redis in a cluster of two nodes."""

import asyncio
import contextlib
import secrets

import pytest
import redis
from redis.crc import key_slot

from eventstream.events import Event
from eventstream.local import database, ports
from eventstream.local.valkey import VALKEY, RunningValkey
from eventstream.settings import HomeSettings
from eventstream.sinks.contract import Poisoned, SinkRefused
from eventstream.sinks.redis import Redis, StreamAdd
from waiting import wait_until

pytestmark = pytest.mark.anyio

SOON_S = 30.0
HALF = 8192
TAGS = {key_slot(tag.encode()) < HALF: tag for tag in ("a", "b", "c", "d")}


class ClusterNode(type(VALKEY)):
    """A Valkey that is a node of a cluster."""

    def arguments(self, data, port, password):
        bus = ("--cluster-enabled", "yes", "--cluster-port", str(ports.free_port()))
        return [*super().arguments(data, port, password), *bus]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Give the URLs of two nodes; the first has the slots below HALF."""
    password = secrets.token_hex(8)  # the same on both
    homes = [HomeSettings(home=tmp_path_factory.mktemp("node")) for _ in range(2)]
    running = [database.start(RunningValkey, ClusterNode(), each.home) for each in homes]
    clients = [redis.Redis.from_url(each.url, protocol=2) for each in running]
    for client, first in zip(clients, (0, HALF), strict=True):
        client.execute_command("ACL", "SETUSER", "default", f">{password}")
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, first + HALF - 1)
    bus = clients[1].config_get("cluster-port")["cluster-port"]
    clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", running[1].port, bus)
    wait_until(lambda: all(map(is_whole, clients)), SOON_S, "the cluster is whole")
    yield [f"redis://:{password}@127.0.0.1:{each.port}" for each in running]
    for client, server in zip(clients, running, strict=True):
        client.close()
        server.discard()


def is_whole(client):
    info = client.execute_command("CLUSTER", "INFO")
    return "cluster_state:ok" in str(info)


def events(*offsets):
    return [Event("orders", b"", partition=0, offset=offset) for offset in offsets]


@contextlib.asynccontextmanager
async def opened(url, commands, tag, on_void=lambda: None):
    sink = Redis(commands, url=url, key_tag=tag).connect(on_void)
    await sink.open("group", "orders")
    try:
        yield sink
    finally:
        await sink.close()


@pytest.mark.parametrize("entry", [0, 1])
@pytest.mark.parametrize("is_first", [True, False])
async def test_whichever_node_is_asked_the_one_with_the_keys_is_written_to(nodes, entry, is_first):
    tag = TAGS[is_first]
    key = f"{{{tag}}}:log:{entry}"
    voids = []

    def effect(event):
        return [StreamAdd(key, {"offset": event.offset})]

    async with opened(nodes[entry], effect, tag, lambda: voids.append(1)) as sink:
        tenure = await sink.take_over(entry, 0)
        await asyncio.gather(*(tenure.write(events(*range(10)), 10) for _ in range(3)))
        await tenure.write(events(10), 11)
    with redis.Redis.from_url(nodes[0 if is_first else 1], protocol=2) as client:
        assert [int(what[b"offset"]) for _, what in client.xrange(key)] == list(range(11))
    assert voids == []


async def test_keys_without_the_tag_are_refused(nodes):
    tag = TAGS[True]
    async with opened(nodes[0], lambda _: [StreamAdd("log", {"f": 1})], tag) as sink:
        tenure = await sink.take_over(7, 0)
        with pytest.raises(Poisoned) as raised:
            await tenure.write(events(0, 1), 2)
        assert sorted(raised.value.reasons) == [0, 1]
    with pytest.raises(SinkRefused, match="cluster"):
        async with opened(nodes[0], ["set order:{key} {value}"], tag):
            pass
