"""One partition's batches: the order they are sent in and the numbers they bear; pure.

A broker takes a producer's batches in the order of their sequence numbers, without a gap, and knows
one that it has already (KIP-98). So a batch that may be written is sent again under its number; and
once nobody can say any more whether it is, what follows is sent under another identity.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

from eventstream.log.native.batch import NUMBERLESS, Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventstream.log.native.messages import Node
    from eventstream.log.native.records import Identity

_SEQUENCES = 1 << 31
RETRY_PAUSE_S = 0.1
FORGETS_S = 3600.0
"""How long a broker surely remembers a producer (producer.id.expiration.ms is a day)."""


class Verdict(enum.Enum):
    """What an answer, or its absence, says of a batch."""

    WRITTEN = enum.auto()
    REFUSED = enum.auto()
    """It is not in the log, and is not to be sent again."""
    AGAIN = enum.auto()
    """It is not in the log, and is to be sent again."""
    UNKNOWN = enum.auto()
    """It may be in the log, and is to be sent again."""
    OUT_OF_ORDER = enum.auto()
    """It is not in the log: the broker expects another number."""


class Partition:
    """What waits to be sent and what was sent.

    Attributes:
        topic: The topic's name.
        number: The partition's.
        leader: The id of the broker that leads it; -1 while nobody does.
        open: The batch that events still join.
        at: Where what is under way was sent to.
        is_gone: Whether the topic has been given up.
        identity: Whose numbers its batches bear; `None` before the first and after trouble.
        disowned: Whose they must not bear any more.
        rests_until_s: When sending may be tried again, by the loop's clock.
    """

    __slots__ = (
        "_gap_at",
        "_in_flight",
        "_next_sequence",
        "_proven_until_s",
        "_returned",
        "_spoilt",
        "_waiting",
        "at",
        "disowned",
        "identity",
        "is_gone",
        "leader",
        "number",
        "open",
        "rests_until_s",
        "topic",
    )

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.leader = -1
        self.open: Batch | None = None
        self.at: Node | None = None
        self.is_gone = False
        self.identity: Identity | None = None
        self.disowned: Identity | None = None
        self.rests_until_s = 0.0
        self._waiting: deque[Batch] = deque()
        self._in_flight: deque[Batch] = deque()
        self._returned: list[Batch] = []
        self._next_sequence = 0
        self._proven_until_s = 0.0
        self._spoilt = False
        self._gap_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits here and nothing is under way."""
        return not (self.open or self._waiting or self._in_flight or self._returned)

    @property
    def has_more(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self.open or self._waiting)

    @property
    def under_way(self) -> bool:
        """Whether anything was sent that is not answered."""
        return bool(self._in_flight)

    def begin(self, now_s: float, first_ms: int) -> Batch:
        """Begin a batch that events join."""
        if self.open is not None:
            self._waiting.append(self.open)
        self.open = Batch(now_s, first_ms)
        return self.open

    def may_send(self, to: Node, now_s: float) -> bool:
        """Whether the next batch may go out now, to the broker there.

        Nothing is sent to a new leader before the old one has answered, or is gone.
        The first one under an identity goes alone: a broker that does not know a producer takes
        any number for its first (KIP-360), so that a second one could overtake it. So does the
        first one after trouble, and after a time in which a broker may forget.
        """
        return (
            self.has_more
            and now_s >= self.rests_until_s
            and not self._returned
            and self._gap_at is None
            and not self._spoilt
            and (not self._in_flight or (now_s < self._proven_until_s and self.at == to))
        )

    def take(self, to: Node, identity: Identity) -> Batch:
        """Take the next batch to be sent, with its number.

        Args:
            to: Where it is sent to.
            identity: Whose number it gets, where the partition has no identity of its own yet.
        """
        if self.open is not None and not self._waiting:
            self._waiting.append(self.open)
            self.open = None
        batch = self._waiting.popleft()
        if batch.sequence == NUMBERLESS:
            if self.identity is None:
                self.identity, self._next_sequence = identity, 0
            batch.identity, batch.sequence = self.identity, self._next_sequence
            self._next_sequence = (self._next_sequence + batch.count) % _SEQUENCES
        self.at = to
        self._in_flight.append(batch)
        return batch

    def settle(
        self, batch: Batch, verdict: Verdict, now_s: float, instead: Iterable[Batch] = ()
    ) -> list[Batch]:
        """Hear what became of a batch that was sent.

        Args:
            batch: The batch.
            verdict: What is known of it.
            now_s: The time, by the loop's clock; what comes back rests a little.
            instead: What to send in the place of one that is refused.

        Returns:
            Batches that are given up: they may be written, and cannot be sent again.
        """
        self._in_flight.remove(batch)
        match verdict:
            case Verdict.WRITTEN:
                self._proven_until_s = now_s + FORGETS_S
            case Verdict.REFUSED:
                self._drop(batch)
                self._returned.extend(instead)
            case Verdict.OUT_OF_ORDER:
                if not self._returned and self._gap_at is None:
                    self._spoilt = True  # nothing before it is missing: the broker forgot us
                self._returned.append(batch)
            case _:
                batch.may_be_written |= verdict is Verdict.UNKNOWN
                self._returned.append(batch)
        if self._in_flight:
            return []
        return self._regroup(now_s + RETRY_PAUSE_S)

    def expire(self, before_s: float) -> Iterator[tuple[Batch, bool]]:
        """Give up what began before a time, and say of each batch whether it may be written.

        One that is under way is not waited for any more, but keeps its place: its listeners are
        gone.
        """
        for batch in [*self._waiting, *([self.open] if self.open else [])]:
            if batch.began_s >= before_s:
                break
            if batch is self.open:
                self.open = None
            else:
                self._waiting.remove(batch)
            if batch.sequence != NUMBERLESS:
                self._drop(batch)
            yield batch, batch.may_be_written
        if not self._in_flight and (self._spoilt or self._gap_at is not None):
            for batch in self._regroup(0.0):
                yield batch, True

    def _drop(self, batch: Batch) -> None:
        """Leave a gap where a numbered batch was: one to be closed, or one to be left behind."""
        if batch.may_be_written:
            self._spoilt = True
        elif self._gap_at is None:
            self._gap_at = batch.sequence

    def _regroup(self, retry_at_s: float) -> list[Batch]:
        """Put what came back first again, now that nothing is under way."""
        if not (self._returned or self._spoilt or self._gap_at is not None):
            return []
        numbered = [*self._returned, *(b for b in self._waiting if b.sequence != NUMBERLESS)]
        fresh = [b for b in self._waiting if b.sequence == NUMBERLESS]
        given_up: list[Batch] = []
        if self._returned:
            self.rests_until_s = retry_at_s
        if self._spoilt:
            given_up = [batch for batch in numbered if batch.may_be_written]
            numbered = [batch for batch in numbered if not batch.may_be_written]
            self.identity, self.disowned = None, self.identity
            renumbered = numbered
        elif self._gap_at is not None:
            # What comes behind a gap is not in the log, whatever became of its answer.
            self._next_sequence = self._gap_at
            renumbered = [b for b in numbered if not _is_before(b.sequence, self._gap_at)]
        else:
            renumbered = []
        for batch in renumbered:
            batch.sequence, batch.may_be_written = NUMBERLESS, False
        self._waiting = deque([*numbered, *fresh])
        self._returned = []
        self._spoilt, self._gap_at, self._proven_until_s = False, None, 0.0
        return given_up


def _is_before(sequence: int, other: int) -> bool:
    """Whether a sequence number comes before another; after the last one comes 0."""
    return 0 < (other - sequence) % _SEQUENCES < _SEQUENCES // 2
