"""Where a reader stands in each partition of a topic; pure.

Positions are the offsets that come next, by partition number. A partition that is not there counts
as unread: it was made after the positions were taken, and is read from its beginning.
"""

from __future__ import annotations

from itertools import zip_longest

Positions = tuple[int, ...]


def reaches(positions: Positions, others: Positions) -> bool:
    """Whether `positions` are as far as `others` in every partition."""
    return all(mine >= theirs for mine, theirs in zip_longest(positions, others, fillvalue=0))


def furthest(positions: Positions, others: Positions) -> Positions:
    """Take the further of two positions in every partition."""
    if positions == others:
        return others
    return tuple(map(max, *zip(*zip_longest(positions, others, fillvalue=0), strict=True)))


def moved(positions: Positions, partition: int, offset: int) -> Positions:
    """Move one partition's position to `offset`, forwards or backwards."""
    padded = positions + (0,) * (partition + 1 - len(positions))
    return (*padded[:partition], offset, *padded[partition + 1 :])


def position(positions: Positions, partition: int) -> int:
    """Look up one partition's position."""
    return positions[partition] if partition < len(positions) else 0
