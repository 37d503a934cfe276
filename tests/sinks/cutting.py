"""A wire to a database that can be cut at a chosen moment."""

import asyncio
import contextlib
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """A relay of TCP connections to `url`; `cut_at` is called with what each client sends.

    Its own URL or DSN, `url`, leads to the same database over the wire.

    It says what happens: `None` sends it on, "before" drops it and cuts the client off, "after"
    sends it on and cuts the client off before the answer comes, "late" cuts the client off and
    sends it on once `let_go` is called, "hold" sends it on then and cuts nobody off.
    """

    def __init__(self, url, cut_at):
        self._far = urlsplit(url)
        self._cut_at = cut_at
        self._late = asyncio.Event()
        self._relays = set()
        self.cuts = 0
        self.held = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        netloc = f"{self._far.username}:{self._far.password}@127.0.0.1:{port}"
        # What is encrypted could not be looked into.
        query = "sslmode=disable" if self._far.scheme.startswith("postgres") else ""
        self.url = urlunsplit(self._far._replace(netloc=netloc, query=query))
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    def let_go(self):
        self._late.set()

    async def _connected(self, reader, writer):
        self._relays.add(asyncio.current_task())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far.port)
        back = asyncio.create_task(_pump(far_reader, writer))
        try:
            await self._relay(reader, writer, far_reader, far_writer, back)
        finally:
            back.cancel()
            writer.transport.abort()
            far_writer.transport.abort()

    async def _relay(self, reader, writer, far_reader, far_writer, back):
        while data := await _some(reader):
            cut = self._cut_at(data)
            if cut is None:
                far_writer.write(data)
                continue
            self.cuts += 1
            if cut == "hold":
                self.held.set()
                await self._late.wait()
                far_writer.write(data)
                continue
            if cut == "after":
                back.cancel()
                await asyncio.wait([back])
                far_writer.write(data)
                await far_reader.read(1)  # the answer, which the client does not get
            writer.transport.abort()
            if cut == "late":
                await self._late.wait()
                far_writer.write(data)
                with contextlib.suppress(ConnectionError):
                    await far_writer.drain()
            return


async def _some(reader):
    with contextlib.suppress(ConnectionError):
        return await reader.read(65536)
    return b""


async def _pump(reader, writer):
    while data := await _some(reader):
        writer.write(data)
    writer.close()
