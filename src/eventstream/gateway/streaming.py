"""v3 produce as a stream: records are published, and reported on, while the request still comes.

Source: Confluent's `StreamingResponse.java`, openapi.yaml (`produceRecord`). The answer begins with
the first report. A record that is not one is reported and the stream goes on; JSON that is broken,
a record that is too large, or a silent client is reported last, and the stream ends.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from eventstream.gateway.answers import JSON_FIELDS
from eventstream.gateway.asgi import respond
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.formats.rest_proxy.error_codes import refusal_in_v3
from eventstream.gateway.formats.rest_proxy.in_order import InOrder
from eventstream.gateway.formats.rest_proxy.json_stream import JsonStream
from eventstream.gateway.formats.rest_proxy.produce_v3 import EMPTY_BODY
from eventstream.gateway.formats.rest_proxy.records_v3 import Draft, draft
from eventstream.gateway.formats.rest_proxy.reports import SEPARATOR, error_report, reporter_of
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.formats.rest_proxy.reports import Reporter
    from eventstream.gateway.routes import Route

SILENT = Problem(
    408,
    "request-timeout",
    "No more of the request came in time, and the stream ends here; send what is left again.",
)


class Publisher(Protocol):
    """Publishes records one by one."""

    def publish(self, route: Route, record: Record, on_outcome: Callable[[Outcome], None]) -> None:
        """Publish one record.

        Args:
            route: Where it goes.
            record: What goes there.
            on_outcome: Called once, in the loop, before this returns or later, when it is known
                what became of the record. It does not raise.
        """


class RecordStream:
    """The endpoint of `POST /v3/clusters/{cluster_id}/topics/{topic}/records` (ASGI).

    Args:
        publisher: Takes the records.
        route_of: Reads a request's head; raises `Rejected` when it is not acceptable. The cluster's
            id is taken from the path's parameter `cluster_id`.
        max_record_bytes: The most bytes of JSON one record may have; the stream has no bound.
        max_waiting: The most reports of one request that may wait to be written; at the bound its
            body is not read on.
        silence_timeout_s: How long a client may send nothing while its request is not complete.
    """

    def __init__(
        self,
        publisher: Publisher,
        route_of: Callable[[Scope], Route],
        *,
        max_record_bytes: int,
        max_waiting: int,
        silence_timeout_s: float,
    ) -> None:
        self.publisher = publisher
        self.max_record_bytes = max_record_bytes
        self.max_waiting = max_waiting
        self.silence_timeout_s = silence_timeout_s
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            route = self._route_of(scope)
        except Rejected as rejected:
            await respond(refusal_in_v3(rejected.problem), send)
            return
        reporter = reporter_of(scope["path_params"]["cluster_id"], route.topic)
        exchange = _Exchange(self, route, reporter)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(exchange.write(send))
            tasks.create_task(exchange.read(receive))


class _ClientGone(Exception):
    """Nobody is there to read a report."""


class _Exchange:
    """One request, and the answer that is written beside it."""

    def __init__(self, stream: RecordStream, route: Route, reporter: Reporter) -> None:
        self._stream = stream
        self._route = route
        self._reporter = reporter
        self._reports = InOrder()
        self._changed = asyncio.Event()
        self._written = asyncio.Event()
        self._begun = False
        self._read_out = False
        self._gone = False

    async def read(self, receive: Receive) -> None:
        """Publish what comes, until the body ends or makes no sense any more."""
        stream = JsonStream(self._stream.max_record_bytes)
        try:
            async for portion in self._portions(receive):
                for text in stream.feed(portion):
                    await self._room()
                    self._publish(text)
            stream.finish()
        except Rejected as rejected:
            self._put(self._reports.announce(), error_report(rejected.problem))
        except _ClientGone:
            self._gone = True
        finally:
            self._read_out = True
            self._changed.set()

    async def write(self, send: Send) -> None:
        """Write every report once those before it are written."""
        complete = False
        while not (complete or self._gone):
            await self._changed.wait()
            self._changed.clear()
            reports = self._reports.take()
            complete = self._read_out and not self._reports.waiting
            if reports or complete:
                try:
                    await self._write(send, reports, complete)
                except OSError:
                    self._gone = True
                self._written.set()

    async def _write(self, send: Send, reports: list[bytes], complete: bool) -> None:
        if self._gone:
            return
        if not self._begun:
            if not reports:
                await respond(refusal_in_v3(EMPTY_BODY), send)
                return
            self._begun = True
            await send({"type": "http.response.start", "status": 200, "headers": JSON_FIELDS})
        body = SEPARATOR.join((*reports, b""))
        await send({"type": "http.response.body", "body": body, "more_body": not complete})

    async def _portions(self, receive: Receive) -> AsyncIterator[bytes]:
        more = True
        while more:
            try:
                async with asyncio.timeout(self._stream.silence_timeout_s):
                    message = await receive()
            except TimeoutError:
                raise Rejected(SILENT) from None
            if message["type"] == "http.disconnect":
                raise _ClientGone
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def _room(self) -> None:
        while self._reports.waiting >= self._stream.max_waiting and not self._gone:
            self._written.clear()
            await self._written.wait()
        if self._gone:
            raise _ClientGone

    def _publish(self, text: bytes) -> None:
        entry = draft(text)
        number = self._reports.announce()
        if isinstance(entry, Draft):
            settled = partial(self._settled, number, entry.sizes)
            self._stream.publisher.publish(self._route, entry.record, settled)
        else:
            self._put(number, error_report(entry))

    def _settled(self, number: int, sizes: bytes, outcome: Outcome) -> None:
        if isinstance(outcome, Placed):
            self._put(number, self._reporter.report(outcome, sizes))
        else:
            self._put(number, error_report(outcome))

    def _put(self, number: int, report: bytes) -> None:
        self._reports.put(number, report)
        self._changed.set()
