"""v3 produce as a stream: reports are written while the request still comes."""

import asyncio
import contextlib
import json
import socket

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from to_a_topic import To

from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.streaming import RecordStream

DEADLINE_S = 20
PATH = "/v3/clusters/{cluster_id}/topics/{topic}/records"


class Core:
    """Publishes nothing; the test says what becomes of each record, and when."""

    def __init__(self):
        self.records = []
        self._done = []
        self._came = asyncio.Event()

    def publish(self, route, record, on_outcome):
        assert route.topic == "orders"
        self.records.append(record)
        self._done.append(on_outcome)
        self._came.set()

    async def holds(self, count):
        while len(self.records) < count:
            self._came.clear()
            await self._came.wait()

    def acknowledge(self, number):
        self._done[number](Placed(0, number, 1000))

    def fail(self, number, problem):
        self._done[number](problem)


class AtOnce(Core):
    """Acknowledges every record before `publish` returns."""

    def publish(self, route, record, on_outcome):
        super().publish(route, record, on_outcome)
        self.acknowledge(len(self.records) - 1)


class Client:
    """One connection with one chunked request."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def begin(self):
        self.writer.write(
            b"POST /v3/clusters/c1/topics/orders/records HTTP/1.1\r\nHost: test\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    def send(self, *values):
        for value in values:
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.writer.write(b"%x\r\n%b\r\n" % (len(text), text))

    def end(self):
        self.writer.write(b"0\r\n\r\n")

    async def head(self):
        return await self.reader.readuntil(b"\r\n\r\n")

    async def report(self):
        """Read the next report; `None` when the answer is complete."""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            if line.startswith(b"{"):
                return json.loads(line)
            if line == b"0\r\n":
                return None


@contextlib.asynccontextmanager
async def streaming(core, route_of=lambda _: To(), **limits):
    """Serve on a port of its own, and connect to it."""
    limits = {"max_record_bytes": 10_000, "max_waiting": 100, "silence_timeout_s": 60, **limits}
    endpoint = RecordStream(core, route_of, **limits)
    app = Starlette(routes=[Route(PATH, endpoint, methods=["POST"])])
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = small_buffers(socket.create_server(("127.0.0.1", 0)))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        connection = small_buffers(socket.socket())
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, listening.getsockname())
        reader, writer = await asyncio.open_connection(sock=connection)
        yield Client(reader, writer)
        writer.close()
    finally:
        server.should_exit = True
        await task


def in_time(conversation):
    async def run():
        async with asyncio.timeout(DEADLINE_S):
            await conversation()

    asyncio.run(run())


def small_buffers(connection):
    """Let what nobody reads stay with its sender soon; whoever is accepted here has them too."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    return connection


def exchanges():
    """Give the tasks of the requests that are under way."""
    return [task for task in asyncio.all_tasks() if "_Exchange." in repr(task.get_coro())]


def test_a_report_is_written_while_the_request_is_open():
    core = Core()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send({"value": {"type": "STRING", "data": "one"}})
            await core.holds(1)
            core.acknowledge(0)
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"content-type: application/json\r\n" in head
            assert await client.report() == {
                "error_code": 200,
                "cluster_id": "c1",
                "topic_name": "orders",
                "partition_id": 0,
                "offset": 0,
                "timestamp": "1970-01-01T00:00:01Z",
                "value": {"type": "STRING", "size": 3},
            }
            client.send({})
            await core.holds(2)
            core.acknowledge(1)
            assert (await client.report())["offset"] == 1
            client.end()
            assert await client.report() is None

    in_time(conversation)
    assert [record.value for record in core.records] == [b"one", None]


def test_reports_keep_the_order_of_the_records():
    core = Core()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send({}, {"value": 1}, {}, {})
            client.end()
            await core.holds(3)
            core.acknowledge(2)
            core.fail(1, Problem(504, "outcome-unknown", "Nobody knows."))
            core.acknowledge(0)
            await client.head()
            codes = [(await client.report())["error_code"] for _ in range(4)]
            assert codes == [200, 400, 50003, 200]
            assert await client.report() is None

    in_time(conversation)


def test_records_may_be_split_and_joined_in_any_way_by_chunks():
    core = AtOnce()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send(b'{"value":{"type":"STR', b'ING","data":"a}"}}{}{"ke', b'y":null}\n{}')
            client.end()
            await client.head()
            assert [(await client.report())["offset"] for _ in range(4)] == [0, 1, 2, 3]
            assert await client.report() is None

    in_time(conversation)
    assert core.records[0].value == b"a}"


@pytest.mark.parametrize(
    ("rest", "code"),
    [(b"foobar", 400), (b'{"a":]}', 400), (b'{"a":"' + b"x" * 20_000 + b'"}', 413)],
)
def test_json_that_is_broken_or_too_large_is_reported_last_and_the_stream_ends(rest, code):
    core = AtOnce()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send({}, rest, {})
            await client.head()
            assert (await client.report())["error_code"] == 200
            assert (await client.report())["error_code"] == code
            assert await client.report() is None

    in_time(conversation)
    assert len(core.records) == 1


def test_a_body_that_ends_within_a_record_is_reported_last():
    core = AtOnce()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send({}, b'{"value":')
            client.end()
            await client.head()
            assert (await client.report())["error_code"] == 200
            assert (await client.report())["error_code"] == 400
            assert await client.report() is None

    in_time(conversation)


def test_an_empty_body_is_refused():
    async def conversation():
        async with streaming(Core()) as client:
            client.begin()
            client.end()
            assert b" 422 " in await client.head()
            told = await client.reader.readuntil(b"}")
            assert json.loads(told)["error_code"] == 42206

    in_time(conversation)


def test_a_head_that_is_not_acceptable_is_refused():
    def route_of(scope):
        assert scope["path_params"]["topic"] == "orders"
        raise Rejected(Problem(404, "unknown-topic", "There is none."))

    async def conversation():
        async with streaming(Core(), route_of) as client:
            client.begin()
            client.end()
            assert b" 404 " in await client.head()
            told = await client.reader.readuntil(b"}")
            assert json.loads(told) == {"error_code": 40401, "message": "There is none."}

    in_time(conversation)


def test_no_more_is_read_than_may_wait_for_its_report():
    core = Core()

    async def conversation():
        async with streaming(core, max_waiting=3) as client:
            client.begin()
            client.send(*[{}] * 10)
            await core.holds(3)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(core.records) == 3
            for number in range(10):
                await core.holds(number + 1)
                assert len(core.records) <= number + 3
                core.acknowledge(number)
            await client.head()
            assert [(await client.report())["offset"] for _ in range(10)] == list(range(10))
            client.end()
            assert await client.report() is None

    in_time(conversation)


def test_a_client_that_reads_nothing_makes_nobody_read_its_request_on():
    core = AtOnce()

    async def conversation():
        async with streaming(core, max_waiting=50) as client:
            client.begin()
            sent = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    client.send(*[{}] * 1000)
                    sent += 1000
                    async with asyncio.timeout(0.5):
                        await client.writer.drain()
            assert len(core.records) < sent
            assert len(exchanges()) == 2
            client.writer.transport.abort()

    in_time(conversation)


def test_a_silent_client_is_told_so_and_its_stream_ends():
    core = AtOnce()

    async def conversation():
        async with streaming(core, silence_timeout_s=0.2) as client:
            client.begin()
            client.send({})
            await client.head()
            assert (await client.report())["error_code"] == 200
            assert (await client.report())["error_code"] == 408
            assert await client.report() is None

    in_time(conversation)


def test_a_client_that_leaves_leaves_nothing_behind():
    core = Core()

    async def conversation():
        async with streaming(core) as client:
            client.begin()
            client.send({}, {}, b'{"value":')
            await core.holds(2)
            reading, writing = exchanges()
            client.writer.transport.abort()
            await asyncio.wait([reading, writing])
            core.acknowledge(1)
            core.acknowledge(0)
            assert exchanges() == []

    in_time(conversation)
    assert len(core.records) == 2
