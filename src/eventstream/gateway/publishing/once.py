"""Requests with an Idempotency-Key: their events are written once, however often they are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.gateway.access.access import Caller
from eventstream.gateway.idempotency.flow import Keyed
from eventstream.gateway.idempotency.keys import fingerprint, scoped_id
from eventstream.gateway.problems import Rejected
from eventstream.gateway.publishing.batch import PublishBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Batch, Outcome, Record
    from eventstream.gateway.idempotency.flow import Idempotency
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route

ROUTE = "publish"
"""What keys are scoped by, beside caller and topic: they mean something on one route."""


class PublishOnce:
    """Publishes such requests, each in a task that outlives its connection.

    Args:
        publishing: The core.
        idempotency: Knows the keys.
    """

    def __init__(self, publishing: Publishing, idempotency: Idempotency) -> None:
        self._publishing = publishing
        self._idempotency = idempotency
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, route: Route, body: bytes, batch: Batch, responder: Responder) -> None:
        """Publish a request's events, or answer as the first such request was answered."""
        publishing = self._publish(route, body, batch, responder)
        task = asyncio.get_running_loop().create_task(publishing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait for what is under way; its clients are answered, or gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _publish(self, route: Route, body: bytes, batch: Batch, responder: Responder) -> None:
        async def send(records: Sequence[Record]) -> Sequence[Outcome]:
            settled: asyncio.Future[Sequence[Outcome]]
            settled = asyncio.get_running_loop().create_future()
            PublishBatch(self._publishing, route.topic, records, settled.set_result)
            return await settled

        try:
            answer = await self._idempotency.publish(
                self._keyed(route, body, batch), send, batch.answer
            )
        except Rejected as rejected:
            self._publishing.refuse(rejected.problem, route.format, responder)
        else:
            self._publishing.answer(answer, responder)

    def _keyed(self, route: Route, body: bytes, batch: Batch) -> Keyed:
        special = route.special
        assert special is not None  # noqa: S101 - where the key stands
        caller = self._publishing.access.caller(route.credential)
        name = caller.name if isinstance(caller, Caller) else ""
        return Keyed(
            scoped_id(name, route.topic, ROUTE, special.idempotency_key),
            special.idempotency_key,
            fingerprint(special.said, body),
            route.topic,
            batch.records,
        )
