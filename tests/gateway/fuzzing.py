"""Bytes no client should send, to both lanes at once, in memory.

Both lanes get the same bytes in the same portions. Neither may raise or answer 5xx; they must
answer alike and write the same records, and a request that is refused writes none.

`python tests/gateway/fuzzing.py 10000000` runs so many inputs, in all cores' processes.
"""

import asyncio
import logging
import random
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from os import cpu_count

import uvicorn
from http_bytes import request
from starlette.responses import Response
from test_conformance import REQUESTS
from uvicorn.server import ServerState

from eventstream.errors import TopicNotFound
from eventstream.gateway.access.access import Access
from eventstream.gateway.access.cors import Cors
from eventstream.gateway.admission import Admission
from eventstream.gateway.api import make_app
from eventstream.gateway.connection import Connection
from eventstream.gateway.counters import GatewayCounters
from eventstream.gateway.idempotency.flow import Idempotency
from eventstream.gateway.idempotency.memory import MemoryStore
from eventstream.gateway.idempotency.settlement import Lease
from eventstream.gateway.lane import FastLane
from eventstream.gateway.publishing.core import Publishing
from eventstream.gateway.publishing.once import PublishOnce
from eventstream.gateway.schemas import Schemas
from eventstream.gateway.slow_lane import SlowLane
from eventstream.gateway.targets.reading import Targets
from eventstream.settings import AccessSettings, GatewaySettings, SchemaSettings

TOPIC = "t"
CORPUS = [
    data.replace(b"{topic}", TOPIC.encode())
    for name, data in REQUESTS.items()
    if len(data) < 5000 and name != "alive"
]
CORPUS += [
    request(
        f"/publish/{TOPIC}", b'3\r\n"ab\r\n1;x=y\r\n"\r\n0\r\n\r\n', Transfer_Encoding="chunked"
    ),
    request(f"/publish/{TOPIC}", b"x", "text/plain", Expect="100-continue"),
]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"%", b"%00", b"/", b"?", b"#",
    b"\xff", b"\xc0\x80", b"0", b"-1", b"99999999999999999999", b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Event-Key: k\r\n", b"chunked",
    b"HTTP/1.1", b"HTTP/1.0", b"POST ", b"GET ", b"{", b"}", b"[", b"]", b'"', b"\\ud800", b"null",
    b"Host: y\r\n", b"?key=%61", b"?key-from=/a/0", b"0\r\n\r\n", b"1e999", b"\xed\xa0\x80",
]  # fmt: skip
_MARK = re.compile(rb'mark="[0-9a-f]*"')
_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n(?:[^\r]+\r\n)*?content-length: (\d+)\r\n")


class Memory:
    """Stands for a producer whose every record is acknowledged when `answer` is called."""

    max_record_bytes = 2000
    lost = False

    def __init__(self):
        self.records = []
        self._waiting = []

    def send(self, topic, value, key, delivered, headers=(), partition=-1, timestamp_ms=0):
        told = tuple((name, _MARK.sub(b"", text or b"")) for name, text in headers)
        self.records.append((topic, value, key, told, partition, timestamp_ms))
        self._waiting.append(partial(delivered, None, 0, len(self.records), timestamp_ms))

    def send_all(self, topic, values, key, delivered, headers=(), timestamp_ms=0):
        for number, value in enumerate(values):
            told = partial(self._told, delivered, number)
            self.send(topic, value, key, told, headers, -1, timestamp_ms)
        return len(values), None

    def _told(self, delivered, number, error, partition, offset, _timestamp_ms):
        delivered(error, partition, offset, number, 1)

    def answer(self):
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            told()
        return bool(waiting)


class Topics:
    known = {TOPIC: 3, "events": 3}  # noqa: RUF012 - never changed

    def resolve(self, resolved):
        resolved(None)

    def forget(self, topic):
        raise AssertionError(topic)


class Unknown:
    """Stands for a cluster that has nothing of what it is asked for."""

    async def describe(self, topic=None):
        raise TopicNotFound(f"Topic {topic!r} does not exist.")

    settings = offsets = describe


async def no_streams(scope, receive, send):
    """Stands for the streams of events, which need a Kafka."""
    await Response(status_code=404)(scope, receive, send)


class Ends:
    """Stands for what the flow asks of topics."""

    async def start(self, _topic):
        return b""


def _no_keys_yet():
    store = MemoryStore(9.0, 10**5, 10**8, time.monotonic)
    return Idempotency(store, Ends(), Lease(1.0, 2.0), time.monotonic)


class Wire(asyncio.Transport):
    """A connection in memory."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.protocol = None
        self.closing = False

    def write(self, data):
        self.written.append(bytes(data))

    def close(self):
        self.closing = True

    abort = close

    def is_closing(self):
        return self.closing

    def set_protocol(self, protocol):
        self.protocol = protocol

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Gateway:
    """One lane over a log in memory."""

    cors = Cors(())
    access = Access(AccessSettings())
    schemas = Schemas(SchemaSettings())
    metadata = Unknown()
    events = staticmethod(no_streams)
    settings = GatewaySettings(max_body_bytes=4096, max_head_bytes=2048)

    def __init__(self, protocol):
        self.producer = Memory()
        self.targets = Targets("events")
        self.publishing = Publishing(
            self.producer,
            Topics(),
            self.access,
            self.schemas,
            Admission(10**6, 10**9),
            GatewayCounters(),
            None,
            4096,
        )
        self._state = ServerState()
        app = make_app(self, lifespan=None)
        self._config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
        self._lane = FastLane(self.settings, self.publishing, self.targets)
        self._protocol = protocol

    def render_metrics(self):
        return b""

    async def exchange(self, portions):
        """Send bytes; return the statuses of the answers and the records written."""
        wire = Wire()
        self.producer.records.clear()
        self.publishing.once = PublishOnce(self.publishing, _no_keys_yet())
        wire.protocol = self._protocol(self._config, self._state, {"fast_lane": self._lane})
        wire.protocol.connection_made(wire)
        for portion in portions:
            if not wire.closing:
                wire.protocol.data_received(portion)
                await self._settle()
        wire.protocol.connection_lost(None)
        await self._settle()
        assert self.publishing.admission.events == self.publishing.admission.bytes == 0
        return _statuses(b"".join(wire.written)), list(self.producer.records)

    async def _settle(self):
        """Let everything happen that can: callbacks that are ready, and acknowledgements."""
        ready = asyncio.get_running_loop()._ready
        while self.producer.answer() or ready:  # noqa: ASYNC110 - nothing else is awaited here
            await asyncio.sleep(0)


def _statuses(data):
    statuses, at = [], 0
    while at < len(data):
        if data.startswith(b"HTTP/1.1 100 Continue\r\n\r\n", at):
            at += len(b"HTTP/1.1 100 Continue\r\n\r\n")
            continue
        match = _ANSWER.match(data, at)
        assert match, data[at:]
        at = data.index(b"\r\n\r\n", at) + 4 + int(match[2])
        assert at <= len(data), data
        statuses.append(int(match[1]))
    return statuses


def mutated(chance):
    """Make one input: a few requests of the corpus, once or again, spoilt here and there."""
    requests = chance.choices(CORPUS, k=chance.choice((1, 1, 1, 2, 3)))
    data = bytearray(b"".join(requests * chance.choice((1, 1, 2))))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(TOKENS)
            case 1:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 2:
                del data[at : at + chance.choice((1, 1, 2, 8, 64))]
            case 3:
                data[at : at + chance.choice((1, 2, 4))] = chance.choice(TOKENS)
            case 4:
                start = chance.randrange(len(data) + 1)
                data[at:at] = data[start : start + chance.randrange(64)]
        data = data or bytearray(b"x")
    return bytes(data)


def portioned(data, chance):
    """Cut an input as a network might."""
    if chance.random() < 0.7:
        return [data]
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 5)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


async def compare(fast, asgi, portions):
    """Send one input to both lanes and hold them to what they promise."""
    statuses, records = await fast.exchange(portions)
    others, same = await asgi.exchange(portions)
    shorter = min(len(statuses), len(others))
    assert statuses[:shorter] == others[:shorter], (statuses, others)
    assert records == same, (records, same)
    for status in statuses + others:
        assert status < 500 or status == 501, status
    if len(records) > 0:
        assert any(status in {200, 202, 207} for status in statuses), (statuses, records)


async def _fuzz(first, count):
    fast, asgi = Gateway(Connection), Gateway(SlowLane)
    for number in range(first, first + count):
        chance = random.Random(number)
        portions = portioned(mutated(chance), chance)
        try:
            await compare(fast, asgi, portions)
        except Exception as error:
            raise AssertionError(f"input {number}: {portions!r}: {error!r}") from error


def fuzz(first, count):
    """Try inputs; the one that fails is named by its number."""
    logging.disable(logging.CRITICAL)
    asyncio.run(_fuzz(first, count))


def main():
    total, share = int(sys.argv[1]), 20_000
    with ProcessPoolExecutor(cpu_count()) as pool:
        shares = range(0, total, share)
        for done, _ in enumerate(pool.map(fuzz, shares, (share for _ in shares)), 1):
            print(f"\r{done * share:,} inputs", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
