"""One owner's time with a partition, whose events become commands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from eventstream.sinks.contract import Fenced, Poisoned
from eventstream.sinks.redis import library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eventstream.events import Event
    from eventstream.sinks.redis.batches import Batch, Batches
    from eventstream.sinks.redis.functions import Functions

log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """A partition's ledger, and whose turn it is there.

    Attributes:
        key: The ledger's key.
        epoch: The owner's number; the next owner's is higher.
        owner: The owner's name, which no other has.
    """

    key: bytes
    epoch: int
    owner: bytes


class RedisTenure:
    """See `contract.Tenure`; writes go one after the other.

    More events than one call may have are written by several, each with its own position: what is
    refused in a later one leaves those before it written, and `next_offset` says so. Events before
    `next_offset` are passed over.

    Args:
        place: The partition.
        next_offset: Where it stands.
        functions: Does the writing.
        batches: Makes commands of events.
        on_void: Called when the server has lost what it had said to be written.
    """

    def __init__(
        self,
        place: Place,
        next_offset: int,
        functions: Functions,
        batches: Batches,
        on_void: Callable[[], None],
    ) -> None:
        self.next_offset = next_offset
        self._place = place
        self._functions = functions
        self._batches = batches
        self._on_void = on_void
        self._writing = asyncio.Lock()

    async def write(self, events: Sequence[Event], next_offset: int) -> None:
        """Write events' effects and the position in one step."""
        async with self._writing:
            while self.next_offset < next_offset:
                if events and events[0].offset < self.next_offset:
                    events = [event for event in events if event.offset >= self.next_offset]
                for batch in self._batches.of(events, next_offset):
                    if not await self._write(batch):
                        break

    async def add(self, event: Event) -> None:
        """Write the effects of an event that was given up before; the position stays."""
        async with self._writing:
            for batch in self._batches.of([event], self.next_offset):
                head = (event.offset, b"1")
                answer, *rest = await self._call(library.ADD, head, batch)
                if answer == b"STANDS":
                    raise self._over(rest[0])
                self._check(answer, batch.reasons(rest[0]))

    async def rest(self) -> None:
        """Wait until nothing is being written."""
        async with self._writing:
            pass

    async def _write(self, batch: Batch) -> bool:
        """Write a batch; return false if others of ours were written since, unheard."""
        head = (self.next_offset, batch.next_offset)
        answer, *rest = await self._call(library.WRITE, head, batch)
        if answer == b"STANDS":
            self.next_offset = self._position(*rest)
            return False
        if answer == b"WRITTEN":
            self.next_offset = batch.next_offset
        self._check(answer, batch.reasons(rest[0]))
        return True

    async def _call(self, function: bytes, head: Sequence[bytes | int], batch: Batch) -> Any:
        key, epoch, owner = self._place
        words = [epoch, owner, *head, *batch.words]
        return await self._functions.call(function, [key, *batch.keys], words)

    def _check(self, answer: bytes, refused: Mapping[int, str]) -> None:
        if refused and answer == b"WRITTEN":
            # All the rest is done, and is not done again: only these events become dead letters.
            log.error("a defect: commands failed among others that were written", failed=refused)
        if refused:
            raise Poisoned(refused)

    def _position(self, epoch: Any, owner: Any, next_offset: Any) -> int:
        """Find out what a ledger that says something else means.

        Nobody else writes as this owner: where it stands further, a call of ours was done whose
        answer was lost.

        Raises:
            Fenced: The tenure is over.
        """
        if owner == self._place.owner and int(next_offset) > self.next_offset:
            return int(next_offset)
        raise self._over(epoch)

    def _over(self, epoch: Any) -> Fenced:
        """Say why the tenure is over, and to the owner if not only this one is."""
        if epoch is not None and int(epoch) > self._place.epoch:
            return Fenced("The partition was taken over by another owner.")
        log.warning("redis has lost what it had said to be written")
        asyncio.get_running_loop().call_soon(self._on_void)
        return Fenced("The server lost what it had of the partition.")
