"""Positions that the log does not have any more, and what is said of them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.gateway.tailing.positions import Positions
    from eventstream.log.places import Extent


class Gap(NamedTuple):
    """A part of a partition that a reader does not get to see.

    Attributes:
        partition: The partition.
        expected_offset: Where it would have read on; `None` when that says nothing, because the
            topic is another one now.
        offset: Where it reads on instead.
    """

    partition: int
    expected_offset: int | None
    offset: int


def resumed(
    positions: Positions, extents: Mapping[int, Extent]
) -> tuple[Positions, tuple[Gap, ...]]:
    """Bring positions into a topic's extents.

    A position below the oldest event was overtaken by retention; one beyond the end is of a log
    that lost events, or of another one. Both go on with the oldest event. A partition that is not
    in `positions` was made later, and is read from its oldest event too, without a gap.
    """
    found = []
    gaps = []
    for partition, (oldest, end) in sorted(extents.items()):
        wanted = positions[partition] if partition < len(positions) else None
        if wanted is not None and oldest <= wanted <= end:
            found.append(wanted)
            continue
        found.append(oldest)
        if wanted is not None:
            gaps.append(Gap(partition, wanted, oldest))
    return tuple(found), tuple(gaps)


def anew(extents: Mapping[int, Extent]) -> tuple[Positions, tuple[Gap, ...]]:
    """Begin a topic that is not the one the reader knows, with its oldest events."""
    starts = {partition: extent.oldest for partition, extent in sorted(extents.items())}
    return tuple(starts.values()), tuple(Gap(each, None, at) for each, at in starts.items())


def told(topic: str, gaps: tuple[Gap, ...]) -> dict[str, Any]:
    """Say to a client what it misses: the data of an event `gap`."""
    if any(gap.expected_offset is None for gap in gaps):
        detail = (
            f"The id is not of topic {topic!r} as it is now: the topic was made anew, or the id is"
            " another topic's. What follows begins with the topic's oldest events."
        )
    else:
        detail = (
            f"Topic {topic!r} does not have the events that come next in these partitions:"
            " retention deleted them, or the log was cut. What follows begins with the oldest"
            " there are."
        )
    return {"topic": topic, "detail": detail, "partitions": [gap._asdict() for gap in gaps]}
