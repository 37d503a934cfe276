"""Partitions whose position a ledger keeps: taken over before they begin, told of before a commit.

A ledger may say that a tenure is over before Kafka does: its server was started again and may have
lost what it had said to be written, or another process has the partition, which then is lost here
too in a moment. So the partition is let go of, and taken over once more if it is still ours.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog

from eventstream.backoff import Backoff
from eventstream.errors import EventstreamError, KafkaUnavailable, Permanent, TopicNotFound
from eventstream.sinks.contract import Fenced, SinkUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from eventstream.log.listener import Partition, Positions
    from eventstream.sinks.contract import Begun, Keeper
    from eventstream.worker.machine import Machine
    from eventstream.worker.subscription import AnySubscription

log = structlog.get_logger(__name__)

FENCED_PAUSE_S = 5.0
"""How long Kafka has to say that a partition is another process's, as the ledger says."""


class Tenures:
    """Owned by the running loop.

    Args:
        subscriptions: The handlers; what is handled or written.
        group: The consumer group.
        machine: Chance.
        tag_of: Says which topic of a name there is now.
        place: Called with a partition and where to read it from.
        over: Called with partitions to let go of.
        gave_in: Called when a ledger refuses, and the worker has to end.

    Attributes:
        keepers: By topic.

    Raises:
        InvalidSetting: A ledger's settings are of no use.
    """

    def __init__(
        self,
        subscriptions: Iterable[AnySubscription],
        group: str,
        machine: Machine,
        *,
        tag_of: Callable[[str], Awaitable[str]],
        place: Callable[[Partition, int], None],
        over: Callable[[Sequence[Partition]], None],
        gave_in: Callable[[BaseException], None],
    ) -> None:
        self._machine = machine
        self._tag_of = tag_of
        self._place = place
        self._over = over
        self._gave_in = gave_in
        self._backoff = Backoff()
        self._starts: dict[Partition, int] = {}
        self._tags: dict[Partition, str] = {}
        self._gone_back: set[Partition] = set()
        self._taking: dict[Partition, asyncio.Task[None]] = {}
        self._begun: dict[Partition, Begun] = {}
        self.keepers: dict[str, Keeper] = {}
        for each in subscriptions:
            voided = partial(self._voided, each.topic)
            keeper = each.keeper(group, voided, machine.chance)
            if keeper is not None:
                self.keepers[each.topic] = keeper

    async def open(self) -> None:
        """Connect to all of them.

        Raises:
            EventstreamError: One refuses, or does not answer.
        """
        for keeper in self.keepers.values():
            await keeper.open()

    async def close(self) -> None:
        """Let go of everything."""
        self.left(list(self._starts))
        for keeper in self.keepers.values():
            await keeper.close()

    def entrusted(self, starts: Positions) -> None:
        """Take partitions over that are this process's, and have them read from where they stand.

        Args:
            starts: Where each begins if its ledger does not know it.
        """
        for where, position in starts.items():
            self._starts[where] = position.offset
            self._take(where, 0.0)

    def begin(self, where: Partition, offset: int) -> Begun | None:
        """Say how a partition begins that is read from an offset now; `None` if it is not to."""
        begun = self._begun.get(where)
        if begun is None or begun.next_offset != offset:
            return None
        return self._begun.pop(where)

    def left(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that are another process's."""
        for where in partitions:
            if self._starts.pop(where, None) is not None:
                self._stop(where)
                self._tags.pop(where, None)
                self._gone_back.discard(where)
                self.keepers[where[0]].release(*where)

    def fenced(self, topic: str, partition: int) -> None:
        """Let go of a partition that another process has, as the ledger says."""
        self._begin_over(topic, [partition], FENCED_PAUSE_S)

    def went_back(self, where: Partition, offset: int) -> None:
        """Begin anew, at an offset that the ledger says is done, if the topic was made anew."""
        self._starts[where] = offset
        self._gone_back.add(where)
        self._begin_over(where[0], [where[1]], 0.0)

    async def advance(self, offsets: Mapping[Partition, int]) -> set[Partition]:
        """Tell ledgers that all before these offsets is done.

        Returns:
            The partitions whose ledger does not know it now.
        """
        known = [where for where in offsets if where[0] in self.keepers]
        told = await asyncio.gather(*(self._advance(where, offsets[where]) for where in known))
        return {where for where, is_told in zip(known, told, strict=True) if not is_told}

    async def _advance(self, where: Partition, offset: int) -> bool:
        topic, partition = where
        try:
            await self.keepers[topic].advance(topic, partition, offset)
        except Fenced:
            if where in self._starts:
                self.fenced(topic, partition)
        except EventstreamError as error:
            log.warning(
                "the ledger does not take a position; it is told again",
                topic=topic,
                partition=partition,
                problem=str(error),
            )
        else:
            return True
        return False

    def _voided(self, topic: str) -> None:
        self._begin_over(topic, [where[1] for where in self._starts if where[0] == topic], 0.0)

    def _begin_over(self, topic: str, partitions: Sequence[int], pause_s: float) -> None:
        """Let partitions go, and take them over again."""
        places = [(topic, each) for each in partitions if (topic, each) in self._starts]
        if places:
            log.warning("partitions begin again from their ledger", topic=topic, partitions=places)
            self._over(places)
        for where in places:
            self._stop(where)
            self._take(where, pause_s)

    def _stop(self, where: Partition) -> None:
        self._begun.pop(where, None)
        taking = self._taking.pop(where, None)
        if taking is not None:
            taking.cancel()

    def _take(self, where: Partition, pause_s: float) -> None:
        task = asyncio.get_running_loop().create_task(self._take_over(where, pause_s))
        self._taking[where] = task
        task.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._gave_in(error)

    async def _take_over(self, where: Partition, pause_s: float) -> None:
        topic, partition = where
        attempt = 0
        await asyncio.sleep(pause_s)
        while True:
            try:
                tag = await self._tag_of(topic)
                self._check_is_another(where, tag)
                start = self._starts[where]
                begun = await self.keepers[topic].take_over(topic, partition, start, tag)
            except (SinkUnavailable, KafkaUnavailable, TopicNotFound) as error:
                attempt += 1
                delay_s = self._backoff.delay_s(attempt, self._machine.chance())
                log.warning(
                    "a partition waits for its ledger",
                    topic=topic,
                    partition=partition,
                    attempt=attempt,
                    next_in_s=round(delay_s, 3),
                    problem=str(error),
                )
                await asyncio.sleep(delay_s)
            else:
                break
        self._tags[where] = tag
        self._gone_back.discard(where)
        self._begun[where] = begun
        self._place(where, begun.next_offset)

    def _check_is_another(self, where: Partition, tag: str) -> None:
        """Look whether a log went back since its topic was made anew; it may have lost events."""
        if where in self._gone_back and tag == self._tags[where]:
            topic, partition = where
            raise Permanent(
                f"{topic}/{partition} goes on at offset {self._starts[where]}, and its ledger says"
                " that more was done: it lost events. Give the handlers another group, or delete"
                " the topic's rows from the ledger."
            )
