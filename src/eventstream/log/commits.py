"""Commits: wished for by the loop, made by the thread that owns the consumer.

A commit's answer queues behind the messages that the client has fetched ahead. So while the bound
is pressed, when reading may have to stop before the answer's turn comes, the thread waits for the
answer; else it reads on, and events do not wait for commits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaException, TopicPartition

from eventstream.errors import EventstreamError
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from confluent_kafka import Consumer as KafkaConsumer
    from confluent_kafka import KafkaError

    from eventstream.log.bound import Bound
    from eventstream.log.listener import Partition, Positions

log = structlog.get_logger(__name__)


class Commits:
    """One wish at a time, from the loop to the thread.

    Args:
        bound: Says when to wait for the answer; woken for each wish.
    """

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._wish: Positions | None = None
        self._answer: asyncio.Future[set[Partition]] | None = None

    @property
    def is_wished(self) -> bool:
        """Whether the loop waits for a commit that was not begun yet."""
        return self._wish is not None

    async def commit(self, positions: Positions) -> set[Partition]:
        """Wish for a commit and wait for its answer; called in the loop, one call at a time.

        Returns:
            The partitions whose positions Kafka took.

        Raises:
            EventstreamError: It took none.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._wish = positions
        self._bound.wake()
        return await self._answer

    # Everything below runs in the thread.

    def grant(self, consumer: KafkaConsumer) -> None:
        """Begin the commit that is wished for."""
        wish, self._wish = self._wish or {}, None
        if self._bound.is_pressed:
            self._reply(commit_now(consumer, wish))
            return
        try:
            consumer.commit(offsets=as_kafkas(wish), asynchronous=True)
        except KafkaException as error:
            self._reply(translate(error.args[0]))

    def drop(self) -> None:
        """Leave a wish: partitions in it are not this process's any more."""
        if self._wish is not None:
            self._wish = None
            self._reply(set())

    def on_commit(self, error: KafkaError | None, answers: list[TopicPartition]) -> None:
        """Hear the answer to a commit that was not waited for; the client calls this."""
        self._reply(_taken(answers) if error is None else translate(error))

    def _reply(self, outcome: set[Partition] | EventstreamError) -> None:
        answer = self._answer
        if answer is not None:
            answer.get_loop().call_soon_threadsafe(_settle, answer, outcome)


def commit_now(consumer: KafkaConsumer, positions: Positions) -> set[Partition] | EventstreamError:
    """Commit in the calling thread and wait.

    Returns:
        The partitions whose positions Kafka took, or why it took none.
    """
    try:
        return _taken(consumer.commit(offsets=as_kafkas(positions), asynchronous=False))
    except KafkaException as error:
        return translate(error.args[0])


def as_kafkas(positions: Positions) -> list[TopicPartition]:
    """Write positions as the client does."""
    return [TopicPartition(*where, *position) for where, position in positions.items()]


def _taken(answers: list[TopicPartition]) -> set[Partition]:
    return {(one.topic, one.partition) for one in answers if not one.error}


def _settle(
    answer: asyncio.Future[set[Partition]], outcome: set[Partition] | EventstreamError
) -> None:
    if answer.done():
        return
    if isinstance(outcome, EventstreamError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
