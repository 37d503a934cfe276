"""A stop answers what it took, and nothing acknowledged is lost."""

import asyncio
import signal
import socket

import pytest
from gateways import running_gateway
from http_bytes import Client, request, status

from records import read_log

CONNECTIONS = 64
ENOUGH = 3000


class Caller(asyncio.Protocol):
    """Publishes one numbered event after another, and notes which were acknowledged."""

    def __init__(self, topic, numbers, acknowledged, enough, ended):
        self._topic, self._numbers, self._acknowledged = topic, numbers, acknowledged
        self._enough, self._ended = enough, ended
        self._rest = b""

    def connection_made(self, transport):
        self._transport = transport
        self._next()

    def _next(self):
        self._number = next(self._numbers)
        self._transport.write(
            request(f"/publish/{self._topic}", b"%d" % self._number, Event_Key=self._number)
        )

    def data_received(self, data):
        self._rest += data
        if not self._rest.endswith(b"}"):
            return
        assert status(self._rest) == 200, self._rest
        closes = b"connection: close" in self._rest
        self._rest = b""
        self._acknowledged.add(self._number)
        if len(self._acknowledged) == ENOUGH:
            self._enough.set()
        if not closes:
            self._next()

    def connection_lost(self, _exc):
        self._ended.release()


async def publish_until_the_end(gateway, topic):
    loop = asyncio.get_running_loop()
    acknowledged, enough, ended = set(), asyncio.Event(), asyncio.Semaphore(0)
    numbers = iter(range(10_000_000))
    for _ in range(CONNECTIONS):
        await loop.create_connection(
            lambda: Caller(topic, numbers, acknowledged, enough, ended), *gateway.address
        )
    async with asyncio.timeout(60):
        await enough.wait()
        gateway.process.send_signal(signal.SIGTERM)
        for _ in range(CONNECTIONS):
            await ended.acquire()
    return acknowledged


@pytest.mark.parametrize("option", ["--fast-lane", "--no-fast-lane", "--workers=3"])
def test_sigterm_under_load_answers_every_request_it_took(kafka, make_topic, tmp_path, option):
    topic = make_topic(3)
    with running_gateway(kafka, tmp_path, option) as gateway:
        acknowledged = asyncio.run(publish_until_the_end(gateway, topic))
        assert gateway.process.wait(30) == 0
    written = [int(value) for _, value in read_log(kafka, topic, 3)]
    assert len(written) == len(set(written))
    assert set(written) == acknowledged


def test_an_idle_gateway_stops_at_once_and_cleanly(kafka, tmp_path):
    with running_gateway(kafka, tmp_path) as gateway, Client(gateway.address):
        assert gateway.stop(signal.SIGINT) == 0


def test_a_taken_port_is_one_sentence_and_exit_1(kafka, run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("gateway", f"--port={port}", f"--bootstrap-servers={kafka.bootstrap_servers}")
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"The gateway cannot listen on 127.0.0.1:{port}: address already in use;"
        " choose another with --host and --port."
    )


def test_a_refused_client_option_is_one_sentence_and_exit_1(run):
    result = run("gateway", "--kafka-option=no.such.option=1")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "no.such.option" in result.stderr
