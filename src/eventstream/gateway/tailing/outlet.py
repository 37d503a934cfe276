"""One client's end of its stream: what is written, and where the client stands after it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from eventstream.gateway.tailing import frames, ids
from eventstream.gateway.tailing.ids import EventId

if TYPE_CHECKING:
    from starlette.types import Send

    from eventstream.gateway.tailing.endings import Ending
    from eventstream.gateway.tailing.positions import Positions

GOODBYE_S = 1.0
FIELDS = (
    (b"content-type", frames.CONTENT_TYPE),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
)


class Stalled(Exception):
    """The client took nothing for too long."""


class Outlet:
    """Writes a stream, one frame after the other (ASGI).

    Args:
        send: The request's.
        tag: The topic's tag.
        positions: Where the client begins.
        heartbeat_s: The longest silence.
        stall_s: The longest that the client may take nothing.

    Attributes:
        positions: Where the client stands: what comes before has been sent, or is not for it.
    """

    def __init__(
        self, send: Send, tag: str, positions: Positions, heartbeat_s: float, stall_s: float
    ) -> None:
        self.positions = positions
        self._tag = tag
        self._send = send
        self._heartbeat_s = heartbeat_s
        self._stall_s = stall_s
        self._one_at_a_time = asyncio.Lock()
        self._sent_at = time.monotonic()
        self._is_whole = True

    @property
    def event_id(self) -> EventId:
        """The id that stands for what the client has now."""
        return EventId(self._tag, self.positions)

    async def open(self, first: bytes) -> None:
        """Answer the request, and write the first bytes of the stream.

        Raises:
            Stalled: The client takes nothing.
        """
        async with self._one_at_a_time:
            await self._send({"type": "http.response.start", "status": 200, "headers": [*FIELDS]})
            await self._write(first)

    async def write(self, chunk: bytes, after: Positions) -> None:
        """Write whole frames; once they are written the client stands at `after`.

        Raises:
            Stalled: The client takes nothing.
        """
        async with self._one_at_a_time:
            await self._write(chunk)
            self.positions = after

    async def beat(self) -> None:
        """Write a heartbeat whenever nothing else was written for a while; never ends.

        Raises:
            Stalled: The client takes nothing.
        """
        while True:
            silent_s = time.monotonic() - self._sent_at
            if silent_s < self._heartbeat_s:
                await asyncio.sleep(self._heartbeat_s - silent_s)
                continue
            async with self._one_at_a_time:
                await self._write(frames.heartbeat(ids.encode(self.event_id)))

    async def close(self, ending: Ending) -> bool:
        """Say why the stream ends, and end the answer; nothing else is written any more.

        Returns:
            Whether the client took it; if not, the connection is to be cut.
        """
        last = ending.frame(ids.encode(self.event_id) if self._is_whole else None)
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._send({"type": "http.response.body", "body": last})
        except TimeoutError:
            return False
        return True

    async def _write(self, chunk: bytes) -> None:
        self._is_whole = False  # a write that is broken off may have been sent, or not
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            raise Stalled from None
        self._is_whole = True
        self._sent_at = time.monotonic()
