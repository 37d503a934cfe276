"""A sink as what keeps the positions of its partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.sinks.contract import Begun, Fenced

if TYPE_CHECKING:
    from eventstream.sinks.contract import Sink, Tenure


class SinkKeeper:
    """See `contract.Keeper`.

    Args:
        sink: The sink.
        group: The consumer group.
        topic: Where its events come from.
    """

    def __init__(self, sink: Sink, group: str, topic: str) -> None:
        self._sink = sink
        self._group = group
        self._topic = topic
        self._tenures: dict[int, Tenure] = {}

    def tenure(self, partition: int) -> Tenure:
        """Return the tenure of a partition.

        Raises:
            Fenced: It is not ours any more.
        """
        found = self._tenures.get(partition)
        if found is None:
            raise Fenced("The partition is not ours any more.")
        return found

    async def open(self) -> None:
        """Connect, and look whether it could write."""
        await self._sink.open(self._group, self._topic)

    async def take_over(
        self,
        topic: str,  # noqa: ARG002 - the contract
        partition: int,
        start: int,
        topic_tag: str = "",
    ) -> Begun:
        """Become a partition's owner."""
        tenure = await self._sink.take_over(partition, start, topic_tag)
        self._tenures[partition] = tenure
        return Begun(tenure.next_offset, ())

    async def advance(self, topic: str, partition: int, to_offset: int) -> None:
        """Do nothing: the position is written with the events."""

    def release(self, topic: str, partition: int) -> None:  # noqa: ARG002 - the contract
        """Own a partition no more."""
        self._tenures.pop(partition, None)

    async def close(self) -> None:
        """Let go of the server."""
        await self._sink.close()
