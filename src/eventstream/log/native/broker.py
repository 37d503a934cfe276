"""One broker: its connection, made when it is needed and made again, and what it is sent."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from eventstream.log.native import messages
from eventstream.log.native.connection import Connection
from eventstream.log.native.messages import API_VERSIONS, Node, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.log.native.connection import OnAnswer
    from eventstream.log.native.partition import Partition
    from eventstream.log.native.primitives import Reader

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
_NAME = "eventstream"


class Broker:
    """Where requests are sent to, by its address.

    Args:
        node: Its address.
        client_id: What it is to know this client by.
        loop: The loop.
        on_change: Called when it can be asked, and when it cannot any more.

    Attributes:
        is_up: Whether it can be asked now.
        requests: Produce requests under way.
        is_behind: Whether something waits for one of them to be answered.
        silent_until_s: When it may be sent events again: it bounds what a client sends (KIP-219).
        ready: Partitions that it leads and that have something to be sent, in order.
    """

    def __init__(
        self,
        node: Node,
        client_id: str,
        loop: asyncio.AbstractEventLoop,
        on_change: Callable[[Broker], None],
    ) -> None:
        self.node = node
        self.is_up = False
        self.requests = 0
        self.is_behind = False
        self.silent_until_s = 0.0
        self.ready: dict[Partition, None] = {}
        self._client_id = client_id
        self._loop = loop
        self._on_change = on_change
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._pause_s = 0.0
        self._closed = False

    def connect(self) -> None:
        """Begin to connect, if that is not under way; after a failure it waits a little."""
        if self._connection is None and self._connecting is None and not self._closed:
            self._connecting = self._loop.create_task(self._connect())

    def ask(self, api: int, content: bytes, deadline_s: float, on_answer: OnAnswer) -> None:
        """Send a request, or say at once that there is no connection; see `Connection.ask`."""
        if self._connection is None:
            on_answer(None)
        else:
            self._connection.ask(api, content, deadline_s, on_answer)

    def check_time(self, now_s: float) -> None:
        """Give the connection up if an answer is overdue."""
        if self._connection is not None:
            self._connection.check_time(now_s)

    def close(self) -> None:
        """End for good."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.abort()

    async def _connect(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._client_id, self._lost), *self.node
                )
        except OSError as error:
            log.debug("kafka: no connection", broker=str(self.node), reason=str(error))
            self._connecting = None
            self._on_change(self)
            return
        self._connecting = None
        self._connection = connection
        connection.ask(
            API_VERSIONS,
            messages.api_versions_request(_NAME, version(_NAME)),
            self._loop.time() + CONNECT_TIMEOUT_S,
            self._greeted,
        )

    def _greeted(self, answer: Reader | None) -> None:
        if answer is None:
            return
        try:
            messages.check_api_versions(answer)
        except UnsupportedVersion as error:
            log.error("kafka: the broker is older than 2.8", broker=str(self.node), api=error.api)  # noqa: TRY400 - a sentence, not a bug
            if self._connection is not None:
                self._connection.abort()
            return
        self._pause_s = 0.0
        self.is_up = True
        self._on_change(self)

    def _lost(self) -> None:
        self._connection = None
        self.is_up = False
        self.requests = 0
        self._on_change(self)
