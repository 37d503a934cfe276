"""Handlers whose effects are kept together with what is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.sinks.contract import Fenced
from eventstream.worker.results import publish_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from eventstream.events import Event
    from eventstream.sinks.contract import Ledger
    from eventstream.worker.results import Sender

    Handle = Callable[[Event], Awaitable[Any]]


class Transactional:
    """Runs one handler in a ledger's transactions; owned by the running loop.

    Args:
        ledger: The ledger.
        sender: Writes the events that the handler returns: before its transaction is committed, so
            that they come again where it is not.
        fenced: Called with a partition that another owner has, before Kafka says so.
    """

    def __init__(self, ledger: Ledger, sender: Sender, fenced: Callable[[str, int], None]) -> None:
        self._ledger = ledger
        self._sender = sender
        self._fenced = fenced
        self._open: dict[Event, Any] = {}

    def transaction_of(self, event: Event) -> Any:
        """Return the transaction that an event is handled in."""
        return self._open[event]

    def within(
        self,
        handle: Handle,
        more_than: Callable[[Any], bool] = lambda _: False,
        *,
        again: bool = False,
    ) -> Handle:
        """Give a handler that runs in a transaction.

        Args:
            handle: The handler.
            more_than: Whether another event can run as soon as this one is done.
            again: Whether its events were given up before: they are done once more, and once.
        """

        async def handle_within(event: Event) -> None:
            async def work(transaction: Any) -> None:
                self._open[event] = transaction
                try:
                    result = await handle(event)
                    if result is not None:
                        await publish_result(result, self._sender)
                finally:
                    del self._open[event]

            try:
                await self._ledger.run(event, work, again=again, more=lambda: more_than(event))
            except Fenced:
                loop = asyncio.get_running_loop()
                loop.call_soon(self._fenced, event.topic, event.partition)
                await loop.create_future()  # until it is abandoned with its partition

        return handle_within
