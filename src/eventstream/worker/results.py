"""Events that a handler returns are published, and acknowledged, before its own event is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from eventstream.errors import InvalidEvent
from eventstream.events import Event

if TYPE_CHECKING:
    from eventstream.events import Headers, Receipt


class Sender(Protocol):
    """Writes events; see `Outbox`."""

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers = ()
    ) -> Receipt:
        """Write an event, and wait until all in-sync replicas have it."""


async def publish_result(result: Any, sender: Sender) -> None:
    """Publish what a handler returned: an event, or several in a list or tuple.

    Where some fail, others may be in the log; the handler's event is then tried again, and they
    come again: at least once.

    Raises:
        InvalidEvent: It returned something else.
        EventstreamError: Kafka did not take all of them.
    """
    events = result if isinstance(result, list | tuple) else (result,)
    for event in events:
        if not isinstance(event, Event):
            kind = type(event).__name__
            raise InvalidEvent(
                f"A handler returned {kind}: return an Event, a list of them, or nothing."
            )
    sending = [sender.send(one.topic, one.value, one.key, one.headers) for one in events]
    outcomes = await asyncio.gather(*sending, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
