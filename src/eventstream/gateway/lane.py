"""What the connections of one process share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from eventstream.gateway.answers import JSON_FIELDS, Answer, Fields
from eventstream.gateway.heads import Heads

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from eventstream.gateway.publishing.core import Publishing
    from eventstream.gateway.targets.reading import Targets
    from eventstream.settings import GatewaySettings

TICK_S = 0.5
LAST_CALL_S = 0.2
STALL_MARGIN_S = 3.0
"""How much later than an endpoint a connection gives a client up that takes nothing."""
MAX_PIPELINED = 128
"""How many requests of a connection may wait for their answers before it is read no further."""
PATIENCE_BYTES = 65_536
"""How much of a body is read of a request that is refused already, to keep its connection."""
MAX_REPEATED_BYTES = 4096
"""The largest head that each connection keeps, to know it when it comes again."""
OK = 200


class Timed(Protocol):
    """A connection whose requests have to arrive in time."""

    def check_time(self, *, idle_before_s: float, slow_before_s: float) -> None:
        """Close the connection if it was idle, or a request of it incomplete, for too long."""


class FastLane:
    """Settings, remembered heads, a coarse clock and the answers' first bytes.

    Receipts are many and differ in little: their heads are remembered by the length they tell. The
    clock ticks twice a second; with each tick the `date` header is made anew and connections
    that took too long are closed, so that a request costs neither a timer nor a clock read.

    Args:
        settings: The gateway's settings.
        publishing: Publishes what requests carry.
        targets: Reads what a request's head says of its events.
        fields: Header fields of every answer.
        stall_s: How long a client may take nothing of an answer that is a stream.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        publishing: Publishing,
        targets: Targets,
        fields: Fields = (),
        stall_s: float = 0.0,
    ) -> None:
        self.publishing = publishing
        self.max_head_bytes = settings.max_head_bytes
        self.max_body_bytes = settings.max_body_bytes
        self.max_connections = settings.max_connections
        self.heads = Heads(targets)
        self.connections: set[Timed] = set()
        self.now_s = 0.0
        self.stopping = False
        self._fields = fields
        self.stall_s = max(stall_s, settings.request_timeout_s) + STALL_MARGIN_S
        self._keep_alive_s = settings.keep_alive_s
        self._request_timeout_s = settings.request_timeout_s
        self._server_state: ServerState | None = None
        self._prefixes: dict[tuple[int, Fields], bytes] = {}
        self._receipt_heads: dict[int, bytes] = {}

    def join(self, connection: Timed, state: ServerState) -> None:
        """Take in a new connection; the first one starts the clock."""
        if self._server_state is None:
            self._server_state = state
            self._tick()
        self.connections.add(connection)

    def close_soon(self, transport: asyncio.Transport) -> None:
        """Close; a client that is still sending gets a moment to read its answer first."""
        asyncio.get_running_loop().call_later(LAST_CALL_S, transport.close)

    def frame(self, answer: Answer, keep_alive: bool) -> bytes:
        """Write an answer as uvicorn would."""
        body = answer.body
        if keep_alive and answer.fields is JSON_FIELDS and answer.status == OK:
            size = len(body)
            head = self._receipt_heads.get(size)
            if head is None:
                head = self._receipt_heads[size] = self._head(answer, keep_alive=True)
            return head + body
        return self._head(answer, keep_alive=keep_alive) + body

    def _head(self, answer: Answer, *, keep_alive: bool) -> bytes:
        status, fields = answer.status, answer.fields
        prefix = self._prefixes.get((status, fields)) or self._prefix(status, fields)
        close = b"" if keep_alive else b"connection: close\r\n"
        return b"%bcontent-length: %d\r\n%b\r\n" % (prefix, len(answer.body), close)

    def _prefix(self, status: int, fields: Fields) -> bytes:
        assert self._server_state is not None  # noqa: S101 - set when the first connection joins
        every = (*self._server_state.default_headers, *fields, *self._fields)
        lines = [b"%b: %b\r\n" % field for field in every]
        prefix = b"".join([STATUS_LINE[status], *lines])
        self._prefixes[status, fields] = prefix
        return prefix

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.now_s = loop.time()
        self._prefixes.clear()
        self._receipt_heads.clear()
        for connection in list(self.connections):
            connection.check_time(
                idle_before_s=self.now_s - self._keep_alive_s,
                slow_before_s=self.now_s - self._request_timeout_s,
            )
        loop.call_later(TICK_S, self._tick)
