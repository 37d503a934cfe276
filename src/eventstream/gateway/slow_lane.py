"""A connection whose requests go to the ASGI application: uvicorn's protocol, with our limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.framing import MALFORMED, refusal
from eventstream.gateway.lane import MAX_PIPELINED
from eventstream.gateway.patience import PatientProtocol
from eventstream.gateway.problems import TOO_SLOW, head_too_large, too_many_connections

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from eventstream.gateway.lane import FastLane
    from eventstream.gateway.problems import Problem

_LINE_BYTES = 4
"""What a header line has beside its name and value: a colon, a blank and the line's end."""
_FRAMING = 16
"""How many bytes of chunk sizes and extensions a byte of a body may cost (RFC 9112, 7.1.1)."""


_ENDPOINTS_S = 5.0
"""How much longer than an endpoint's own time-out a body may pause, before the lane steps in."""


class SlowLane(PatientProtocol):
    """The protocol of connections that the fast lane hands over, or of all where it is off.

    uvicorn bounds neither a head's size nor the time that a request may take to arrive; this does.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._lane: FastLane = app_state["fast_lane"]
        super().__init__(config, server_state, app_state, _loop, stall_s=self._lane.stall_s)
        self._refusal: Problem = MALFORMED
        self._refused = False
        self._running: RequestResponseCycle | None = None
        self._in_head = False
        self._in_request = False
        self._begun = 0
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_bytes = 0
        self._since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._lane.join(self, self.server_state)
        self._since_s = self._lane.now_s
        if len(self.connections) > self._lane.max_connections:
            self.connections.discard(self)
            self._refuse(too_many_connections(self._lane.max_connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """End; uvicorn tells the last request it has read, and here the one that runs hears it."""
        self._lane.connections.discard(self)
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._refused:
            return
        in_request, self._begun = self._in_request, 0
        if not self._in_head:
            self._since_s = self._lane.now_s
            if in_request:
                self._framing_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            if self._framing_bytes > self._lane.max_head_bytes + _FRAMING * self._body_bytes:
                self._refuse(MALFORMED)
        elif not self._begun or (self._begun == 1 and not in_request):  # all of it is of one head
            self._head_bytes += len(data)
            if self._head_bytes > self._lane.max_head_bytes:
                self._refuse(head_too_large(self._lane.max_head_bytes))

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._begun += 1
        self._head_bytes = self._framing_bytes = self._body_bytes = 0
        self._since_s = self._lane.now_s

    def on_headers_complete(self) -> None:
        """End a head."""
        size = len(self.url) + sum(
            len(name) + len(value) + _LINE_BYTES for name, value in self.headers
        )
        refused = refusal(self.parser.get_http_version(), self.url, self.headers)
        if size > self._lane.max_head_bytes:
            refused = head_too_large(self._lane.max_head_bytes)
        if refused is not None:
            self._refusal = refused
            raise ValueError(refused.detail)
        super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._in_request = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says more
        """Answer what the parser refuses; uvicorn calls it."""
        self._refuse(self._refusal)

    # Limits

    def check_time(self, *, idle_before_s: float, slow_before_s: float) -> None:
        """Close the connection if it never asked for anything, or a request stopped arriving."""
        if self._in_request:
            patience_s = 0.0 if self._in_head else _ENDPOINTS_S
            late = self._since_s < slow_before_s - patience_s
            if late and not (self._refused or self.flow.read_paused):
                self._refuse(TOO_SLOW)
        elif self._running is None and self._since_s < idle_before_s:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on to the next request, or to the one that is refused.

        uvicorn reads on after each answer, and so faster than it answers.
        """
        super().on_response_complete()
        if len(self.pipeline) > MAX_PIPELINED // 2:
            self.flow.pause_reading()
        if self._refused and self._is_idle():
            self._answer(self._refusal)

    def _is_idle(self) -> bool:
        return not self.pipeline and (self._running is None or self._running.response_complete)

    def _refuse(self, problem: Problem) -> None:
        """End the connection at a request that cannot be read to its end.

        Those before it are answered first. Where its body is what fails, the application has it
        already, and is told that the client is gone.
        """
        self._refused = True
        self._refusal = problem
        running = self._running
        if self._in_request and not self._in_head:
            if self.pipeline:
                self.pipeline.popleft()
            elif running is not None and not running.response_complete:
                running.disconnected = True
                running.message_event.set()
                if running.response_started:
                    self.transport.close()
                else:
                    self._answer(problem)
                return
        if self._is_idle():
            self._answer(problem)

    def _answer(self, problem: Problem) -> None:
        self._lane.publishing.counters.answered(problem.status)
        self.transport.write(self._lane.frame(problem_answer(problem), keep_alive=False))
        self._lane.close_soon(self.transport)
