"""The `id` of a Server-Sent Event: where its reader stands in all partitions; pure.

`<tag>:<offset>,<offset>,…`: eight characters that tell the topic from others, and from one made
anew under its name; then the offset that comes next in partition 0, 1 and so on. So one id, of
whichever process, says all that a reader has seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from eventstream.gateway.tailing.positions import Positions

MAX_PARTITIONS = 1000
"""Topics with more have no ids: a client sends its id in a header, and heads are bounded."""
MAX_OFFSET = 2**63 - 1
MAX_CHARS = 9 + MAX_PARTITIONS * 20

_ID = re.compile(r"([A-Za-z0-9_-]{8}):(\d{1,19}(?:,\d{1,19})*)", re.ASCII)


class EventId(NamedTuple):
    """An id taken apart.

    Attributes:
        tag: Which topic, as `log/lookups.py` names it.
        positions: The offset that comes next in each partition.
    """

    tag: str
    positions: Positions


def encode(event_id: EventId) -> bytes:
    """Write an id."""
    return b"%b:%b" % (event_id.tag.encode(), ",".join(map(str, event_id.positions)).encode())


def around(event_id: EventId, partition: int) -> tuple[bytes, bytes]:
    """Write what stands before and after one partition's position in an id."""
    tag, positions = event_id
    padded = positions + (0,) * (partition - len(positions))
    before = "".join(f"{each}," for each in padded[:partition])
    after = "".join(f",{each}" for each in padded[partition + 1 :])
    return f"{tag}:{before}".encode(), after.encode()


def is_id(text: str) -> bool:
    """Whether a text has an id's form."""
    return len(text) <= MAX_CHARS and _ID.fullmatch(text) is not None


def parse(text: str) -> EventId:
    """Read an id as a client sent it.

    Raises:
        Rejected: It is none of ours.
    """
    if len(text) <= MAX_CHARS and (found := _ID.fullmatch(text)):
        positions = tuple(map(int, found[2].split(",")))
        if len(positions) <= MAX_PARTITIONS and max(positions) <= MAX_OFFSET:
            return EventId(found[1], positions)
    raise Rejected(
        Problem(
            400,
            "invalid-event-id",
            f"{text[:80]!r} is not an id of this stream; send the last id as it came, or none and"
            " say ?from=.",
        )
    )
