"""Key sets: fetched from a real server of this machine, and kept up to date."""

import asyncio
import socket
import threading

import pytest
from issuers import EC_KEY, RSA_KEY, key_set, public, publishing

from eventstream.errors import InvalidSetting, Transient
from eventstream.gateway.access import jwks
from eventstream.gateway.access.jwks import REFETCH_S, SigningKeys, fetch


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


async def fetched(source):
    done = asyncio.Event()
    source.fetch(done.set)
    async with asyncio.timeout(30):
        await done.wait()


def test_keys_are_fetched_and_changes_are_told(clock):
    changes = []

    async def story(server):
        source = SigningKeys(server.url, lambda: changes.append(set(source.keys)), clock)
        await fetched(source)
        await fetched(source)
        assert changes == [{"one", None}]
        server.content = key_set(public(RSA_KEY, "RS256", kid="two"), public(EC_KEY, kid="one"))
        await fetched(source)
        assert changes[1:] == [{"one", "two"}]

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))
    assert server.asked == 3


def test_a_failure_leaves_the_keys_and_is_tried_again(clock):
    async def story(server):
        source = SigningKeys(server.url, lambda: None, clock)
        await fetched(source)
        known = source.keys
        for break_it in ({"status": 500}, {"content": b"{}"}, {"content": b"a" * 1_000_001}):
            for name, value in break_it.items():
                setattr(server, name, value)
            await fetched(source)
            assert source.failing
            assert source.keys is known
            server.status, server.content = 200, key_set(public(EC_KEY, kid="one"))
            await fetched(source)
            assert not source.failing

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_fetches_at_once_are_one(clock):
    async def story(server):
        source = SigningKeys(server.url, lambda: None, clock)
        await asyncio.gather(*(fetched(source) for _ in range(100)))

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))
    assert server.asked == 1


def test_ticks_fetch_when_keys_are_old_and_sooner_after_a_failure(clock):
    async def story(server):
        source = SigningKeys(server.url, lambda: None, clock)

        async def tick_after(time_s):
            clock.now_s += time_s
            asked = server.asked
            source.tick()
            if source._fetching:
                await fetched(source)
            return server.asked - asked

        assert await tick_after(0) == 1
        assert await tick_after(299) == 0
        server.status = 503
        assert await tick_after(1) == 1
        assert await tick_after(REFETCH_S - 1) == 0
        server.status = 200
        assert await tick_after(1) == 1
        assert await tick_after(REFETCH_S) == 0

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_a_redirection_is_not_followed():
    with publishing(public(EC_KEY, kid="one")) as other, publishing() as server:
        server.status, server.location = 302, other.url
        with pytest.raises(Transient, match="answered 302"):
            fetch(server.url)
    assert other.asked == 0


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Transient, match="timed out"),
    ):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/keys")


def test_a_server_that_drips_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", 0.3)
    stop = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not stop.wait(0.01):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        try:
            with pytest.raises(Transient, match="too slow"):
                fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/keys")
        finally:
            stop.set()
            thread.join()


def test_what_is_no_http_is_a_failure_in_words():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def babble():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(Transient):
            fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/keys")
        thread.join()


def test_a_file_is_read_too(tmp_path):
    file = tmp_path / "keys.json"
    with pytest.raises(Transient, match="No such file"):
        fetch(str(file))
    file.write_bytes(key_set(public(EC_KEY)))
    assert fetch(str(file)) == file.read_bytes()


@pytest.mark.parametrize(
    "where",
    [
        "http://login.example.com/keys",
        "ftp://login.example.com/keys",
        "file:///etc/passwd",
        "https://user:hush@login.example.com/keys",
        "https:///keys",
    ],
)
def test_keys_that_cannot_be_believed_are_refused(where, clock):
    with pytest.raises(InvalidSetting, match="--jwt-jwks") as refused:
        SigningKeys(where, lambda: None, clock)
    assert "hush" not in str(refused.value)
