"""What sinks and ledgers promise: effects and the position they came from are kept together.

A worker takes a partition over and hears where to go on. From then on its tenure writes; once
somebody else has taken the partition over it writes nothing more, however late it wakes. So an
event has its effects once: what was written is not read again, and what was not is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from eventstream.errors import EventstreamError, Permanent, Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from eventstream.events import Event


class SinkUnavailable(Transient):
    """The server does not answer, or cannot write just now; nothing is known to be written."""


class SinkRefused(Permanent):
    """The server takes this from us for no event: somebody has to change something."""


class Fenced(EventstreamError):
    """The tenure is over: somebody took the partition over, or the server lost what it had."""


class Poisoned(Permanent):
    """Events that can never be written; nothing of the batch is.

    Attributes:
        reasons: Why not, by offset.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(f"{len(reasons)} events cannot be written.")
        self.reasons = reasons


class Tenure(Protocol):
    """One owner's time with a partition.

    Attributes:
        next_offset: The first offset whose effects are not known to be there.
    """

    next_offset: int

    async def write(self, events: Sequence[Event], next_offset: int) -> None:
        """Write the effects of events, and that all before `next_offset` is done: all or nothing.

        Args:
            events: In offset order, none before the tenure's `next_offset`; those left out in
                between have no effects.
            next_offset: More than the last one's offset; where to go on from now on.

        Raises:
            Fenced: The tenure is over; nothing was written.
            Poisoned: Some can never be written; nothing was. The others may be written again.
            SinkUnavailable: Nothing was written, or it is not known; the same call may follow.
            SinkRefused: Nothing was written, nor will be until somebody changes something.
        """

    async def add(self, event: Event) -> None:
        """Write the effects of an event that was given up before; the position stays.

        However often it is called for one event, the effects are there once.

        Args:
            event: The event, with its own offset, which the position has passed.

        Raises:
            As `write` does.
        """


class Sink(Protocol):
    """Where effects go; owned by an event loop."""

    async def open(self, group: str, topic: str) -> None:
        """Connect, and look whether it could write.

        Args:
            group: Whose positions are kept: the consumer group.
            topic: Where the events come from.

        Raises:
            SinkRefused: It could not, and the sentence says what to change.
            SinkUnavailable: The server does not answer.
        """

    async def take_over(self, partition: int, start: int, topic_tag: str = "") -> Tenure:
        """Begin a tenure, and end every other one of the partition.

        Args:
            partition: The partition.
            start: Where to begin if it has never been written from.
            topic_tag: Which topic of its name it is: another one than before begins at `start`.

        Raises:
            SinkUnavailable: The server does not answer.
            SinkRefused: It refuses.
        """

    async def close(self) -> None:
        """Let go of the server; what runs is waited for."""


class SinkSettings(Protocol):
    """Which sink, not yet connected to."""

    def connect(self, on_void: Callable[[], None]) -> Sink:
        """Make the sink of one process.

        Args:
            on_void: Called when the server may have lost what it had said to be written: every
                partition has to be taken over again.

        Raises:
            InvalidSetting: The settings are of no use.
        """


class Begun(NamedTuple):
    """Where a partition stands whose events are done in transactions.

    Attributes:
        next_offset: All before it is done.
        done: What is done from there on, rising.
    """

    next_offset: int
    done: Sequence[int]


class Keeper(Protocol):
    """Keeps positions of one consumer group; owned by an event loop.

    Where a partition is named it is one that was taken over, and not released since.
    """

    async def open(self) -> None:
        """Connect, and look whether it could write.

        Raises:
            SinkRefused: It could not, and the sentence says what to change.
            SinkUnavailable: The server does not answer.
        """

    async def take_over(self, topic: str, partition: int, start: int, topic_tag: str = "") -> Begun:
        """Become a partition's owner; whoever was it writes nothing more.

        Args:
            topic: The topic.
            partition: The partition.
            start: Where to begin if the ledger does not know the partition.
            topic_tag: Which topic of that name it is: another one than before begins at `start`.

        Raises:
            SinkUnavailable: The server does not answer.
            SinkRefused: It refuses.
        """

    async def advance(self, topic: str, partition: int, to_offset: int) -> None:
        """Note that all before an offset is done.

        Raises:
            Fenced: Another owner has the partition.
            SinkUnavailable: The server does not answer.
        """

    def release(self, topic: str, partition: int) -> None:
        """Own a partition no more."""

    async def close(self) -> None:
        """Let go of the server."""


class Ledger(Keeper, Protocol):
    """Where handlers' transactions go, and what is done."""

    async def run(
        self,
        event: Event,
        work: Callable[[Any], Awaitable[None]],
        *,
        again: bool = False,
        more: Callable[[], bool] = ...,
    ) -> None:
        """Do an event's work, and note that it is done, in one transaction.

        Args:
            event: The event.
            work: Called with the transaction; again where that failed for a reason that passes.
            again: Whether the event was given up before, and its position passed; it is noted
                apart that it is done after all.
            more: Whether another event is to be run at once, when this one ends.

        Raises:
            Fenced: Another owner has the partition; nothing was done.
            Exception: What `work` raised; nothing was done.
        """


class LedgerSettings(Protocol):
    """What `App.on` is given as `ledger`: which database, not yet connected to."""

    @property
    def transaction(self) -> type:
        """What a handler's parameter is annotated with that gets the transaction."""

    def connect(
        self, group: str, on_void: Callable[[], None], chance: Callable[[], float]
    ) -> Ledger:
        """Make the ledger of one process.

        Args:
            group: The consumer group.
            on_void: Called when the server may have lost what it had said to be written: every
                partition has to be taken over again.
            chance: Draws a number from 0 to 1.

        Raises:
            InvalidSetting: The settings are of no use.
        """
