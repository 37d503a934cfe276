"""One connection to one broker: requests out, answers in, in the same order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

import structlog

from eventstream.log.native import messages
from eventstream.log.native.primitives import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    OnAnswer = Callable[[Reader | None], None]
    """Takes an answer's content, or `None` when the connection ended before it came."""

log = structlog.get_logger(__name__)

_SIZE_BYTES = 4


class _Asked(NamedTuple):
    api: int
    correlation: int
    deadline_s: float
    on_answer: OnAnswer


class Connection(asyncio.Protocol):
    """Speaks Kafka's protocol; answers come in the order of the requests.

    Args:
        client_id: What the broker knows this client by, in its quotas and logs.
        on_lost: Called once when the connection has ended, after those who still waited.
    """

    def __init__(self, client_id: str, on_lost: Callable[[], None]) -> None:
        self._client_id = client_id
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._asked: deque[_Asked] = deque()
        self._correlation = 0
        self._parts: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the contract
        """End: nobody gets an answer any more."""
        while self._asked:
            self._asked.popleft().on_answer(None)
        self._on_lost()

    def ask(self, api: int, content: bytes, deadline_s: float, on_answer: OnAnswer) -> None:
        """Send a request.

        Args:
            api: Its key, of `messages`.
            content: What stands behind its header.
            deadline_s: When the connection is given up if there is no answer, by the loop's clock.
            on_answer: Called once.
        """
        self._correlation = (self._correlation + 1) & 0x7FFFFFFF
        head = messages.head(api, self._correlation, self._client_id)
        size = (len(head) + len(content)).to_bytes(_SIZE_BYTES, "big")
        self._asked.append(_Asked(api, self._correlation, deadline_s, on_answer))
        self._transport.write(b"".join((size, head, content)))

    def check_time(self, now_s: float) -> None:
        """Give the connection up if an answer is overdue."""
        if self._asked and min(asked.deadline_s for asked in self._asked) < now_s:
            self.abort()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come, in any portions."""
        if self._missing > len(data):
            self._parts.append(data)
            self._missing -= len(data)
            return
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts.clear()
        start = 0
        while len(data) - start >= _SIZE_BYTES:
            end = start + _SIZE_BYTES + int.from_bytes(data[start : start + _SIZE_BYTES], "big")
            if end > len(data):
                break
            self._answered(Reader(data[start + _SIZE_BYTES : end]))
            start = end
        left = len(data) - start
        self._missing = 0
        if left:
            self._parts = [data[start:]]
            size = data[start : start + _SIZE_BYTES]
            whole = int.from_bytes(size, "big") if left >= _SIZE_BYTES else 0
            self._missing = _SIZE_BYTES + whole - left

    def _answered(self, answer: Reader) -> None:
        if not self._asked:
            self.abort()
            return
        asked = self._asked[0]
        if messages.read_head(asked.api, answer) != asked.correlation:
            self.abort()
            return
        self._asked.popleft()
        try:
            asked.on_answer(answer)
        except (EOFError, UnicodeDecodeError):
            log.warning("kafka: an answer makes no sense", api=asked.api)
            asked.on_answer(None)
            self.abort()
