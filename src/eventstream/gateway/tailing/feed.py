"""One topic as all its clients in this process read it: one consumer, one ring."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

import structlog

from eventstream.errors import EventstreamError, KafkaUnavailable, TopicNotFound
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.tailing import endings, frames, gaps, ids
from eventstream.gateway.tailing.ids import EventId
from eventstream.gateway.tailing.pages import Page, pages_of
from eventstream.gateway.tailing.positions import moved, position
from eventstream.gateway.tailing.ring import Ring
from eventstream.log.live import LiveReader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from eventstream.gateway.tailing.endings import Ending
    from eventstream.log.lookups import Lookups
    from eventstream.log.places import Extent
    from eventstream.log.received import Run
    from eventstream.settings import KafkaSettings

log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 5.0
LOOKS_IN_VAIN = 2
PARTS = 8
"""How many batches fill the ring: clients are heard in between."""
RETRY_S = 1.0
PACE_S = 0.01
"""Clients are woken at most this often: one write of many events costs them little more."""

Answer = TypeVar("Answer")


class Feed:
    """A topic being read; made by `open_feed`, owned by the event loop.

    Args:
        topic: The topic.
        tag: Its tag.
        ring: What was read last, beginning where the reading begins.
        lookups: To look what the topic is now.

    Attributes:
        topic: The topic.
        tag: Its tag.
        ring: What was read last.
        changed: Set, and replaced by another one, when there is more in the ring.
        over: Done when the reading has ended, with the reason to give to clients.
    """

    def __init__(self, topic: str, tag: str, ring: Ring, lookups: Lookups) -> None:
        self.topic = topic
        self.tag = tag
        self.ring = ring
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[Ending] = self._loop.create_future()
        self._lookups = lookups
        self._reader: LiveReader
        self._woken_at = 0.0
        self._wake_is_due = False
        self._looks_in_vain = 0
        self._most_behind = ring.most_bytes // 2
        self._followers = 0
        self._front = 0
        self._owed = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, kafka: KafkaSettings) -> None:
        """Begin to read.

        Raises:
            InvalidSetting: The client refuses an option.
        """
        self._reader = LiveReader(kafka, self.topic, self, self.ring.most_bytes // PARTS)
        self._reader.start()
        self._reader.read(dict(enumerate(self.ring.head)))
        self._spawn(self._look())

    def end(self, ending: Ending) -> None:
        """End every stream of the topic, at once."""
        if not self.over.done():
            self.over.set_result(ending)

    async def stop(self) -> None:
        """Stop the reading; nobody streams from it any more."""
        self.end(endings.STOPPING)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reader.stop()

    async def ask(self, question: Callable[..., Answer], *arguments: object) -> Answer:
        """Ask Kafka about the topic, outside the loop.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        return await self._loop.run_in_executor(None, question, self.topic, *arguments)

    async def extents(self) -> dict[int, Extent]:
        """Ask how far the topic's partitions reach, those too that were made meanwhile.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        partitions = (await self.ask(self._lookups.shape)).partitions
        return await self.ask(self._lookups.extents, range(partitions))

    async def offsets_at(self, timestamp_ms: int) -> dict[int, int]:
        """Ask for each partition's first event that is not older; its end where none is so new.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        extents = await self.extents()
        found = await self.ask(self._lookups.offsets_at, range(len(extents)), timestamp_ms)
        return {each: extents[each].end if at < 0 else at for each, at in found.items()}

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Count a client that reads from the ring."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            self._settle()

    def reached(self, place: int) -> None:
        """Take note that a client reads this page next.

        Nothing more is taken from Kafka while the foremost client has half of the ring before it:
        that would only push everybody out of the ring. Clients behind it slow nothing down.
        """
        if place > self._front:
            self._front = place
            self._settle()

    def _settle(self) -> None:
        if not self._followers or self.ring.behind(self._front) <= self._most_behind:
            for _ in range(self._owed):
                self._reader.more()
            self._owed = 0

    # What the reader tells (`log.live.Listener`).

    def heard(self, runs: Sequence[Run]) -> None:
        """Encode events once for everybody, and wake those who wait for more."""
        ring = self.ring
        for run in runs:
            done = position(ring.head, run.partition)
            events = run.events
            if events[0].offset < done:  # read twice, after the reader was moved
                events = [event for event in events if event.offset >= done]
            for page in pages_of(events, ring.head, self.tag):
                ring.append(page)
        self._owed += 1
        self._settle()
        self._wake()

    def out_of_range(self, partition: int) -> None:
        """Find out why the log does not have what comes next, and where to read on."""
        self._spawn(self._mend(partition))

    def refused(self, error: EventstreamError) -> None:
        """End: Kafka lets nobody with these credentials read the topic."""
        self.end(endings.refused(str(error)))

    def _wake(self) -> None:
        if self._wake_is_due:
            return
        wait_s = self._woken_at + PACE_S - self._loop.time()
        if wait_s <= 0 or self.ring.behind(self._front) > self.ring.most_bytes // PARTS:
            self._wake_now()
        else:
            self._wake_is_due = True
            self._loop.call_later(wait_s, self._wake_now)

    def _wake_now(self) -> None:
        self._wake_is_due = False
        self._woken_at = self._loop.time()
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _look(self) -> None:
        """Look again and again whether the topic is still the same, and has more partitions."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            with contextlib.suppress(KafkaUnavailable):
                await self._look_once()

    async def _look_once(self) -> None:
        try:
            shape = await self.ask(self._lookups.shape)
        except TopicNotFound:
            # One broker may not know a topic yet that others do.
            self._looks_in_vain += 1
            if self._looks_in_vain >= LOOKS_IN_VAIN:
                self.end(endings.topic_gone(self.topic))
            return
        except KafkaUnavailable:
            raise
        except EventstreamError as error:
            log.warning("a topic that is read over HTTP cannot be looked at", problem=str(error))
            return
        self._looks_in_vain = 0
        if shape.tag != self.tag:
            self.end(endings.topic_replaced(self.topic))
        for partition in range(len(self.ring.head), min(shape.partitions, ids.MAX_PARTITIONS)):
            head = self.ring.head
            self.ring.append(Page(self.tag, partition, head, moved(head, partition, 0)))
            self._reader.read({partition: 0})

    async def _mend(self, partition: int) -> None:
        while True:
            try:
                await self._look_once()
                extents = await self.ask(self._lookups.extents, [partition])
            except EventstreamError:
                await asyncio.sleep(RETRY_S)
            else:
                break
        oldest, end = extents[partition]
        head = self.ring.head
        wanted = position(head, partition)
        if wanted > end:
            self.end(endings.topic_replaced(self.topic))
        elif wanted >= oldest:
            await asyncio.sleep(RETRY_S)
            self._reader.read_on(partition, wanted)
        else:
            after = moved(head, partition, oldest)
            told = gaps.told(self.topic, (gaps.Gap(partition, wanted, oldest),))
            blob = frames.notice("gap", ids.encode(EventId(self.tag, after)), told)
            self.ring.append(Page(self.tag, partition, head, after, blob))
            self._reader.read_on(partition, oldest)
            self._wake()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def open_feed(kafka: KafkaSettings, topic: str, lookups: Lookups, most_bytes: int) -> Feed:
    """Read a topic from its end on.

    Raises:
        Rejected: The topic has more partitions than an id can tell positions of.
        EventstreamError: There is no such topic, Kafka did not answer in time, or it refused.
    """
    loop = asyncio.get_running_loop()
    shape = await loop.run_in_executor(None, lookups.shape, topic)
    if shape.partitions > ids.MAX_PARTITIONS:
        raise Rejected(
            Problem(
                501,
                "too-many-partitions",
                f"Topic {topic!r} has {shape.partitions} partitions, and an event's id tells the"
                f" positions of {ids.MAX_PARTITIONS} at most; read it with a Kafka client.",
            )
        )
    extents = await loop.run_in_executor(None, lookups.extents, topic, range(shape.partitions))
    ends = tuple(extents[partition].end for partition in range(shape.partitions))
    feed = Feed(topic, shape.tag, Ring(ends, most_bytes), lookups)
    feed.start(kafka)
    return feed
