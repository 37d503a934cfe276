"""`GET /events/{topic}`: the streams of one process, and the requests that ask for them (ASGI)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import structlog
from starlette.requests import Request

from eventstream.errors import EventstreamError
from eventstream.gateway.answers import problem_answer
from eventstream.gateway.asgi import respond
from eventstream.gateway.problems import Problem, Rejected, problem_of
from eventstream.gateway.tailing import endings, frames, gaps, ids
from eventstream.gateway.tailing.catching_up import CatchingUp
from eventstream.gateway.tailing.counters import TailingCounters
from eventstream.gateway.tailing.feeds import Feeds
from eventstream.gateway.tailing.outlet import FIELDS, Outlet, Stalled
from eventstream.gateway.tailing.starts import find_start
from eventstream.gateway.tailing.stream import Stream
from eventstream.gateway.tailing.wishes import wish_of
from eventstream.observe import metrics
from eventstream.observe.metrics import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from eventstream.gateway.tailing.endings import Ending
    from eventstream.gateway.tailing.feed import Feed
    from eventstream.gateway.tailing.wishes import Wish
    from eventstream.observe.metrics import Sample
    from eventstream.settings import KafkaSettings, TailingSettings

log = structlog.get_logger(__name__)

CUT_S = 5.0
RETRY_MS = 1000
RETRY_SPREAD_MS = 2000
_SPREAD_STEP_MS = 617


class EventsEndpoint:
    """Streams topics to HTTP clients.

    Made in the running loop that serves the requests. A stop is in two steps: `end_streams` when
    the server begins to stop, since it waits for its streams; `stop` when they have ended.

    Args:
        kafka: How to reach Kafka.
        settings: The streams' settings.
        may_read: Says why a request may not read its topic (its path parameter `topic`), or `None`.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: TailingSettings,
        may_read: Callable[[Request], Problem | None],
    ) -> None:
        self._settings = settings
        self._may_read = may_read
        self._feeds = Feeds(kafka, settings)
        self._catching_up = CatchingUp(kafka, settings.events_catch_up_readers)
        self._counters = TailingCounters()
        self._opened = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if self._counters.clients >= self._settings.events_max_clients:
            await respond(problem_answer(self._too_many()), send)
            return
        self._counters.clients += 1
        try:
            await self._answer(Request(scope, receive), receive, send)
        except Rejected as rejected:
            await respond(problem_answer(rejected.problem), send)
        except EventstreamError as error:
            await respond(problem_answer(problem_of(error)), send)
        finally:
            self._counters.clients -= 1

    def end_streams(self) -> None:
        """Tell every client that this process stops, and end its stream; take no more."""
        self._feeds.end_streams()

    async def stop(self) -> None:
        """Close every consumer."""
        await self._feeds.stop()
        await self._catching_up.stop()

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        counters, catching_up = self._counters, self._catching_up
        yield sample(metrics.STREAMS, counters.clients)
        yield sample(metrics.STREAMED_TOPICS, self._feeds.topics)
        yield sample(metrics.CATCHING_UP, catching_up.reading + catching_up.waiting)
        yield sample(metrics.STREAMED, counters.events)
        for reason, count in counters.ended.items():
            yield sample(metrics.STREAMS_ENDED, count, reason)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        scope = request.scope
        now_ms = time.time_ns() // 1_000_000
        wish = wish_of(
            request.path_params["topic"], scope["query_string"], scope["headers"], now_ms
        )
        problem = self._may_read(request)
        if problem is not None:
            raise Rejected(problem)
        async with self._feeds.joined(wish.topic) as feed:
            outlet, first = await self._begin(feed, wish, send)
            if request.method == "HEAD":
                await send({"type": "http.response.start", "status": 200, "headers": [*FIELDS]})
                await send({"type": "http.response.body"})
                return
            ending = await self._stream(feed, wish, outlet, first, receive)
        self._counters.ended[ending.reason if ending else "left"] += 1

    async def _begin(self, feed: Feed, wish: Wish, send: Send) -> tuple[Outlet, bytes]:
        settings = self._settings
        positions, missed = await find_start(feed, wish.start)
        if feed.over.done():
            raise Rejected(Problem(503, "stream-ended", feed.over.result().detail, 1))
        outlet = Outlet(
            send, feed.tag, positions, settings.events_heartbeat_s, settings.events_stall_s
        )
        # Clients that lost one server together do not come back to the next one at once.
        self._opened += 1
        spread_ms = self._opened * _SPREAD_STEP_MS % RETRY_SPREAD_MS
        event_id = ids.encode(outlet.event_id)
        first = frames.hello(RETRY_MS + spread_ms)
        if missed:
            first += frames.notice("gap", event_id, gaps.told(feed.topic, missed))
        else:
            first += frames.heartbeat(event_id)
        return outlet, first

    async def _stream(
        self, feed: Feed, wish: Wish, outlet: Outlet, first: bytes, receive: Receive
    ) -> Ending | None:
        """Run a stream to its end; `None` when the client left."""
        stream = Stream(feed, self._catching_up, outlet, wish, self._counters)
        running = asyncio.ensure_future(stream.run(first))
        beating = asyncio.ensure_future(outlet.beat())
        leaving = asyncio.ensure_future(_left(receive))
        tasks = (running, beating, leaving)
        try:
            first_of: set[asyncio.Future[Any]] = {*tasks, feed.over}
            await asyncio.wait(first_of, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if outcomes[2] is True:
            return None
        ending = _ending_of(feed, outcomes[0], outcomes[1])
        if not await outlet.close(ending):
            # The protocol cuts a client off that takes nothing (gateway/patience.py).
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_left(receive), CUT_S)
        return ending

    def _too_many(self) -> Problem:
        return Problem(
            503,
            "too-many-streams",
            f"{self._settings.events_max_clients} streams of events are open here already, the most"
            " there may be; try again later.",
            retry_after_s=1,
        )


def _ending_of(feed: Feed, *outcomes: object) -> Ending:
    for outcome in outcomes:
        if isinstance(outcome, Stalled):
            return endings.STALLED
        if isinstance(outcome, endings.Ending):
            return outcome
        if isinstance(outcome, Exception):
            log.error("a stream failed", topic=feed.topic, exc_info=outcome)
            return endings.FAILED
    return feed.over.result()


async def _left(receive: Receive) -> bool:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return True
