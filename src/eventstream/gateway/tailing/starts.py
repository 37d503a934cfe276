"""Where a client begins: its wish, and what the topic has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.tailing import gaps
from eventstream.gateway.tailing.ids import EventId
from eventstream.gateway.tailing.positions import reaches

if TYPE_CHECKING:
    from eventstream.gateway.tailing.feed import Feed
    from eventstream.gateway.tailing.gaps import Gap
    from eventstream.gateway.tailing.positions import Positions
    from eventstream.log.start import Start


async def find_start(feed: Feed, start: Start | EventId) -> tuple[Positions, tuple[Gap, ...]]:
    """Find the positions where a client begins, and what it misses of what it asked for.

    Positions that the feed has in memory are taken as they are; Kafka is asked about others.

    Raises:
        EventstreamError: Kafka did not answer in time, or refused.
    """
    if isinstance(start, EventId):
        return await _resumed(feed, start)
    if start.at == "latest":
        return feed.ring.head, ()
    if start.at == "earliest":
        return gaps.anew(await feed.extents())[0], ()
    return tuple((await feed.offsets_at(start.timestamp_ms)).values()), ()


async def _resumed(feed: Feed, last: EventId) -> tuple[Positions, tuple[Gap, ...]]:
    if last.tag != feed.tag:
        return gaps.anew(await feed.extents())
    in_memory = feed.ring.place(last.positions) is not None
    if in_memory and reaches(feed.ring.head, last.positions):
        return last.positions, ()
    extents = await feed.extents()
    if len(last.positions) > len(extents):
        return gaps.anew(extents)
    return gaps.resumed(last.positions, extents)
