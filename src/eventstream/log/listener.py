"""What a worker's event loop hears from the thread that reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.errors import EventstreamError
    from eventstream.log.received import Run

Partition = tuple[str, int]
"""A topic's name and a partition of it."""


class Position(NamedTuple):
    """What a consumer group commits of a partition.

    Attributes:
        offset: The next offset to read; -1 where none is known.
        metadata: What whoever committed it noted beside it.
    """

    offset: int
    metadata: str = ""


NOWHERE = Position(-1)
Positions = dict[Partition, Position]


class Listener(Protocol):
    """Every method is called in the loop."""

    def assigned(self, committed: Positions) -> None:
        """Partitions are this process's from now on, from these positions on."""

    def entrusted(self, starts: Positions) -> None:
        """Partitions are this process's that wait until they are placed; see `Reading.place`.

        Args:
            starts: Where each would begin by what is committed, or by the settings.
        """

    def received(self, runs: Sequence[Run]) -> None:
        """Take events, in offset order within a partition; they count against the bound."""

    async def give_up(self, partitions: Sequence[Partition]) -> Positions:
        """Finish what runs of these partitions, and forget the rest.

        Returns:
            The positions to commit before another process gets them.
        """

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions that another process may have already."""

    def failed(self, error: EventstreamError) -> None:
        """Nothing more will come: the thread met something that waiting does not mend."""
