"""What the flow asks of the topic: where its records will be after, and whether they are there."""

from __future__ import annotations

import asyncio
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from eventstream.errors import TopicNotFound
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.idempotency.batches import Batches
from eventstream.gateway.idempotency.marks import HEADER, Mark, read_mark
from eventstream.log.ends import Ends
from eventstream.log.search import search

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eventstream.settings import KafkaSettings

REFRESH_S = 5.0
SEARCHES_AT_ONCE = 1000
_THREADS = 4


class _Search(NamedTuple):
    mark: bytes
    start: bytes


class TopicLog:
    """Looks at topics from outside the loop.

    Where a topic ends is asked for every five seconds while it is of use: an older end lies before
    any record that is sent later, so it only makes a search longer. Searches in one topic that come
    at the same time, as after the death of a busy process, read it once.

    Args:
        kafka: How to reach Kafka.
        partitions: How many partitions each topic has, as last heard.
        clock: Seconds that never go back.
    """

    def __init__(
        self, kafka: KafkaSettings, partitions: Mapping[str, int], clock: Callable[[], float]
    ) -> None:
        self._kafka = kafka
        self._partitions = partitions
        self._clock = clock
        self._ends = Ends(kafka)
        self._known: dict[str, tuple[float, bytes]] = {}
        self._asking: dict[str, asyncio.Future[bytes]] = {}
        self._searches: dict[str, Batches[_Search, dict[int, Placed]]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "idempotency")

    def close(self) -> None:
        """Take no more questions; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def start(self, topic: str) -> bytes:
        """Return where a record that is sent from now on may stand at the earliest.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        asked_at, start = self._known.get(topic, (0.0, b""))
        if start and self._clock() - asked_at < REFRESH_S:
            return start
        asking = self._asking.get(topic)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(topic))
            self._asking[topic] = asking
            asking.add_done_callback(lambda _: self._asking.pop(topic))
        # One that is cancelled must not cancel the others' question.
        return await asyncio.shield(asking)

    async def find(self, topic: str, start: bytes, mark: bytes) -> dict[int, Placed]:
        """Find a reservation's records, from `start` to the topic's end as it is now.

        Returns:
            By their numbers in the request, where they stand; the first of each number.

        Raises:
            EventstreamError: Kafka did not answer in time, or refused.
        """
        searches = self._searches.get(topic)
        if searches is None:

            async def run(asked: Sequence[_Search]) -> list[dict[int, Placed]]:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._find, topic, asked)

            searches = self._searches[topic] = Batches(run, SEARCHES_AT_ONCE)
        return await searches.ask(_Search(mark, start))

    async def _ask(self, topic: str) -> bytes:
        asked_at = self._clock()
        loop = asyncio.get_running_loop()
        partitions = self._partitions.get(topic)
        if partitions is None:
            raise TopicNotFound(f"Topic {topic!r} is gone; create it, or check the name.")
        ends = await loop.run_in_executor(self._threads, self._ends.of, topic, partitions)
        start = pack_start(ends)
        self._known[topic] = asked_at, start
        return start

    def _find(self, topic: str, asked: Sequence[_Search]) -> list[dict[int, Placed]]:
        found: dict[bytes, dict[int, Placed]] = {one.mark: {} for one in asked}

        def wanted(value: bytes | None) -> Mark | None:
            mark = read_mark(value)
            return mark if mark is not None and mark.mark in found else None

        starts = earliest([unpack_start(one.start) for one in asked])
        for mark, hit in search(self._kafka, topic, starts, HEADER, wanted):
            found[mark.mark].setdefault(mark.number, Placed(*hit))
        return [found[one.mark] for one in asked]


def pack_start(ends: Mapping[int, int]) -> bytes:
    """Write the offsets of partitions 0 to n."""
    return struct.pack(f">{len(ends)}q", *(ends[number] for number in range(len(ends))))


def unpack_start(start: bytes) -> dict[int, int]:
    """Read the offsets of partitions 0 to n."""
    return dict(enumerate(struct.unpack(f">{len(start) // 8}q", start)))


def earliest(starts: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """Return for each partition the lowest offset; a partition that one lacks is left out."""
    common = set(starts[0]).intersection(*starts)
    return {number: min(one[number] for one in starts) for number in common}
