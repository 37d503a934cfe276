"""Partitions read from their beginning, and then as they grow, in a thread of its own.

No group: whoever follows sees everything. A topic that does not exist is empty, and is followed
once it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from eventstream.errors import KafkaUnavailable
from eventstream.log.metadata import metadata
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Message

    from eventstream.log.listener import Partition
    from eventstream.log.received import Received
    from eventstream.settings import KafkaSettings

log = structlog.get_logger(__name__)

BATCH_EVENTS = 1000
POLL_S = 0.1
LOOK_INTERVAL_S = 2.0
LOOKUP_TIMEOUT_S = 5.0


class Reader(Protocol):
    """Who follows; every method is called in the loop."""

    def heard(self, topic: str, partition: int, events: Sequence[Received]) -> None:
        """Take events, in the partition's order."""

    def caught_up(self, topic: str, partition: int) -> None:
        """All there was when the following began has been heard."""


class Follower:
    """Follows partitions for a reader; made in the loop that owns it.

    Args:
        kafka: How to reach Kafka.
        reader: Called in the loop.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings, reader: Reader) -> None:
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._wishes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._consumer = connect_reader(kafka)
        self._following: dict[Partition, bool] = {}  # and whether it is caught up
        self._missing: set[Partition] = set()
        self._look_due = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kafka-follower", daemon=True)

    def start(self) -> None:
        """Begin; nothing is followed yet."""
        self._thread.start()

    def follow(self, places: Iterable[Partition]) -> None:
        """Follow these partitions too, from their beginning."""
        wanted = list(places)
        self._wishes.put(lambda: self._missing.update(wanted))

    def leave(self, places: Iterable[Partition]) -> None:
        """Follow these partitions no more; a little more of them may still be heard."""
        unwanted = list(places)
        self._wishes.put(lambda: self._leave(unwanted))

    async def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        await self._loop.run_in_executor(None, self._thread.join)

    # Everything below runs in the thread.

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception:
                log.exception("following failed; it goes on")
        self._consumer.close()

    def _turn(self) -> None:
        while not self._wishes.empty():
            self._wishes.get()()
            self._look_due = 0.0
        if self._missing and time.monotonic() >= self._look_due:
            self._look_due = time.monotonic() + LOOK_INTERVAL_S
            self._look_for_missing()
        messages = []
        for message in self._consumer.consume(BATCH_EVENTS, POLL_S):
            if message.error() is None:
                messages.append(message)
            else:
                self._hand_over(messages)
                messages = []
                self._note(message)
        self._hand_over(messages)

    def _hand_over(self, messages: list[Message]) -> None:
        for run in runs_of(messages):
            self._tell(self._reader.heard, run.topic, run.partition, run.events)

    def _note(self, message: Message) -> None:
        error = message.error()
        where = message.topic() or "", message.partition() or 0
        if error is None or error.code() != KafkaError._PARTITION_EOF:
            log.warning("following met a problem", problem=str(error))
        elif self._following.get(where) is False:
            self._following[where] = True
            self._tell(self._reader.caught_up, *where)

    def _look_for_missing(self) -> None:
        """Begin with what is there by now; what is not counts as empty."""
        found = set()
        for topic in {topic for topic, _ in self._missing}:
            try:
                described = metadata(self._consumer, LOOKUP_TIMEOUT_S, topic).topics[topic]
            except KafkaUnavailable:
                return
            found |= {(topic, each) for each in described.partitions if described.error is None}
        begin = self._missing & found
        if begin:
            places = [TopicPartition(*where, OFFSET_BEGINNING) for where in begin]
            self._consumer.incremental_assign(places)
        for where in begin:
            self._missing.discard(where)
            self._following[where] = self._following.get(where, False)
        for where in self._missing:
            if not self._following.get(where):
                self._following[where] = True
                self._tell(self._reader.caught_up, *where)

    def _leave(self, places: list[Partition]) -> None:
        assigned = [where for where in places if where in self._following.keys() - self._missing]
        self._missing.difference_update(places)
        for where in places:
            self._following.pop(where, None)
        if assigned:
            with contextlib.suppress(KafkaException):
                self._consumer.incremental_unassign([TopicPartition(*where) for where in assigned])

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(what, *arguments)
