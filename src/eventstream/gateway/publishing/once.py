"""Requests with an Idempotency-Key: their events are written once, however often they are sent."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from eventstream.gateway.access.access import Caller
from eventstream.gateway.admission import Room
from eventstream.gateway.idempotency.flow import Keyed
from eventstream.gateway.idempotency.keys import fingerprint, scoped_id
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.publishing.batch import PublishBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eventstream.gateway.formats.contract import Batch, Outcome, Record
    from eventstream.gateway.idempotency.flow import Idempotency
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route
    from eventstream.observe.metrics import Sample

log = structlog.get_logger(__name__)

ROUTE = "publish"
"""What keys are scoped by, beside caller and topic: they mean something on one route."""
_FAILED = Problem(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "The gateway failed, and its events may be written or not; repeat the request with the same"
    " Idempotency-Key.",
)


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
        room = Room(self._publishing.admission, len(batch.records), len(body))
        publishing = self._publish(route, body, batch, responder, room)
        task = asyncio.get_running_loop().create_task(publishing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait for what is under way; its clients are answered, or gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        return self._idempotency.samples()

    async def _publish(
        self, route: Route, body: bytes, batch: Batch, responder: Responder, room: Room
    ) -> None:
        async def send(records: Sequence[Record]) -> Sequence[Outcome]:
            settled: asyncio.Future[Sequence[Outcome]]
            settled = asyncio.get_running_loop().create_future()
            room.leave_to_records()
            PublishBatch(self._publishing, route.topic, records, settled.set_result)
            return await settled

        try:
            answer = await self._idempotency.publish(
                self._keyed(route, body, batch), send, batch.answer
            )
        except Rejected as rejected:
            self._publishing.refuse(rejected.problem, route.format, responder)
        except Exception:
            log.exception("a request with an Idempotency-Key failed")
            self._publishing.refuse(_FAILED, route.format, responder)
        else:
            self._publishing.answer(answer, responder)
        finally:
            room.leave()

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
