"""One client connection's fast lane: bytes of a publish in, its answer's bytes out.

uvicorn runs the server and makes one of these for each connection. A publish stays here: no task,
no future, no ASGI scope. At the first request that is not one for this lane the whole connection,
with the bytes at hand, goes over to uvicorn's own protocol and so to the ASGI application, which
publishes on the same core.

Requests of one connection are answered in the order they came (RFC 9112, section 9.3.2).
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec

from eventstream.gateway.answers import Answer
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.lane import (
    LAST_CALL_S,
    MAX_PIPELINED,
    MAX_REPEATED_BYTES,
    PATIENCE_BYTES,
)
from eventstream.gateway.problems import (
    TOO_SLOW,
    body_too_large,
    head_too_large,
    too_many_connections,
)
from eventstream.gateway.routes import Refused, Route
from eventstream.gateway.slow_lane import SlowLane

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from eventstream.gateway.formats.contract import Format
    from eventstream.gateway.heads import Head
    from eventstream.gateway.lane import FastLane
    from eventstream.gateway.problems import Problem

_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """The protocol uvicorn makes for each connection (its `http` option)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._make_slow_lane = partial(SlowLane, config, server_state, app_state, _loop)
        self._lane: FastLane = app_state["fast_lane"]
        self._server_state = server_state
        self._transport: asyncio.Transport
        self._exchanges: deque[Exchange] = deque()
        self._buffer = b""
        self._head: Head | None = None
        self._last: Head | None = None
        self._chunks: list[bytes] = []
        self._missing = 0
        self._paused = False
        self._writable = True
        self._discarding = False
        self._foreign = False
        self._held = False
        self._stopping = False
        self._since_s = 0.0
        self._unread_since_s: float | None = None
        self._receiving = 0
        self._resumed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: uvicorn calls it for each new connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._server_state.connections.add(self)  # type: ignore[arg-type]
        self._lane.join(self, self._server_state)
        self._since_s = self._lane.now_s
        if len(self._server_state.connections) > self._lane.max_connections:
            self._leave()
            self._refuse_rest(too_many_connections(self._lane.max_connections))
        elif self._lane.stopping:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End: answers that still come find nobody; their events are published all the same."""
        self._leave()
        self._received()
        self._exchanges.clear()
        self._transport.close()

    def _leave(self) -> None:
        self._server_state.connections.discard(self)
        self._lane.connections.discard(self)

    # Requests in

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come, in any portions."""
        if self._discarding:
            return
        if self._missing > 0:
            self._chunks.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._missing = 0
            self._received()
        self._resumed = False
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
            self._resumed = True
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Take whole requests off the front of `data` and keep what is left."""
        start, size = 0, len(data)
        while start < size and not self._paused:
            head = self._head
            if head is None:
                head = self._read_head(data, start)
                if head is None:
                    break
                start += head.size
            stop = start + head.content_length
            if stop > size:
                self._await_body(head, data[start:], stop - size)
                return
            self._head = None
            self._take(head, data[start:stop])
            start = stop
        if start < size and not self._discarding:
            self._buffer = data[start:]
            if self._foreign:
                self._pause()
                self._hand_over_when_answered()

    def _read_head(self, data: bytes, start: int) -> Head | None:
        """Read the head that begins at `start`; `None` when none can be taken now."""
        lane, last = self._lane, self._last
        head = None if last is None else last.again(data, start)
        if head is not None and head.size <= lane.max_head_bytes:
            return head
        end = data.find(_END, start) + len(_END)
        if end < len(_END):
            if len(data) - start > lane.max_head_bytes:
                self._refuse_rest(head_too_large(lane.max_head_bytes))
            if start or not self._resumed:
                self._since_s = lane.now_s
            return None
        if end - start > lane.max_head_bytes:
            self._refuse_rest(head_too_large(lane.max_head_bytes))
            return None
        head = lane.heads.read(data[start:end])
        if head is None:
            self._foreign = True
        elif head.content_length > lane.max_body_bytes:
            too_large = Refused(body_too_large(head.content_length, lane.max_body_bytes), RAW)
            refused = lane.publishing.refusal(head.route) or too_large
            self._refuse_rest(refused.problem, refused.format)
            return None
        else:
            self._last = head if head.size <= MAX_REPEATED_BYTES else None
        return head

    def _await_body(self, head: Head, part: bytes, missing: int) -> None:
        """Take the rest of a body as it comes; of a large one, if it is worth it."""
        lane = self._lane
        if head.content_length > PATIENCE_BYTES:
            refused = lane.publishing.refusal(head.route)
            if refused is not None:
                self._refuse_rest(refused.problem, refused.format)
                return
        self._since_s = lane.now_s
        self._head = head
        self._chunks = [part]
        self._missing = missing
        self._receiving = head.content_length
        lane.publishing.admission.enter(0, self._receiving)

    def _received(self) -> None:
        """Count a body out that was waited for: it is whole, or its client is gone."""
        self._lane.publishing.admission.leave(0, self._receiving)
        self._receiving = 0

    def _take(self, head: Head, body: bytes) -> None:
        exchange = Exchange(self, head.keep_alive)
        self._exchanges.append(exchange)
        route = head.route
        if isinstance(route, Route):
            if not self._lane.publishing.publish(route, body, exchange) and self._exchanges:
                self._held = True
                self._pause()
        else:
            self._lane.publishing.refuse(route.problem, route.format, exchange)
        if not head.keep_alive:
            self._stopping = True
            self._pause()
        elif len(self._exchanges) >= MAX_PIPELINED:
            self._pause()

    def _refuse_rest(self, problem: Problem, format_: Format = RAW) -> None:
        """Answer a request before it is read, and take no more of this connection."""
        exchange = Exchange(self, keep_alive=False)
        self._exchanges.append(exchange)
        self._discarding = True
        self._lane.publishing.refuse(problem, format_, exchange)

    # Answers out

    def answered(self, exchange: Exchange) -> None:
        """Write an exchange's answer once those before it are written."""
        exchanges = self._exchanges
        if not exchanges or exchanges[0] is not exchange:
            return
        lane = self._lane
        while (answer := exchanges[0].waiting_answer) is not None:
            keep_alive = exchanges.popleft().keep_alive and not (self._stopping and not exchanges)
            self._transport.write(lane.frame(answer, keep_alive))
            if not keep_alive:
                self._close()
                return
            if not exchanges:
                self._since_s = lane.now_s
                break
        if self._paused:
            self._go_on()

    def _close(self) -> None:
        self._exchanges.clear()
        if self._discarding:
            self._lane.close_soon(self._transport)
        else:
            self._transport.close()

    def _go_on(self) -> None:
        """Read on after a pause, once there is room for it and nothing could be overtaken."""
        if self._held and self._exchanges:
            return
        self._held = False
        if self._foreign:
            self._hand_over_when_answered()
        elif self._writable and not self._stopping and len(self._exchanges) <= MAX_PIPELINED // 2:
            self._paused = False
            self._transport.resume_reading()
            if self._buffer:
                self.data_received(b"")

    def _hand_over_when_answered(self) -> None:
        if self._exchanges:
            return
        self._leave()
        slow = self._make_slow_lane()
        slow.connection_made(self._transport)
        self._transport.set_protocol(slow)
        self._transport.resume_reading()
        slow.data_received(self._buffer)
        if self._stopping:
            slow.shutdown()

    # Flow, time and the end

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its answers."""
        self._writable = False
        self._unread_since_s = self._lane.now_s
        self._pause()

    def resume_writing(self) -> None:
        """Read on."""
        self._writable = True
        self._unread_since_s = None
        self._go_on()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            if not self._transport.is_closing():
                self._transport.pause_reading()

    def check_time(self, *, idle_before_s: float, slow_before_s: float) -> None:
        """Close the connection if it was idle, or a request or answer under way, for too long."""
        if self._unread_since_s is not None and self._unread_since_s < slow_before_s:
            self._transport.abort()
        elif self._exchanges or self._foreign or self._discarding:
            return
        if self._buffer or self._missing:
            if self._since_s < slow_before_s:
                self._refuse_rest(TOO_SLOW)
        elif self._since_s < idle_before_s:
            self._transport.close()

    def shutdown(self) -> None:
        """Answer what was taken, then close; uvicorn calls it when the server stops."""
        self._stopping = True
        asyncio.get_running_loop().call_later(LAST_CALL_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not (self._exchanges or self._missing or self._buffer):
            self._transport.close()


class Exchange(msgspec.Struct, eq=False):
    """One request of a connection and, later, its answer."""

    connection: Connection
    keep_alive: bool
    waiting_answer: Answer | None = None

    def answer(self, answer: Answer) -> None:
        """Take the answer, and have it written in its turn."""
        self.waiting_answer = answer
        self.connection.answered(self)
