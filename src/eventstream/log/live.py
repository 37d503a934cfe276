"""One topic read as it grows, in a thread of its own, for all who listen in one event loop.

No group, no commits: the reader is told where to begin. An offset that is not in the log any more
is reported instead of passed over in silence; whoever listens decides where to read on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from eventstream.errors import NotAuthorized
from eventstream.log.faults import translate
from eventstream.log.reader import connect_reader
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from eventstream.errors import EventstreamError
    from eventstream.log.received import Run
    from eventstream.settings import KafkaSettings

log = structlog.get_logger(__name__)

BATCH_EVENTS = 500
BATCHES_ON_THEIR_WAY = 2
POLL_S = 0.1
NOT_IN_THE_LOG = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION}
)
"""What the client says of a position that the log does not have, or has no more."""
OPTIONS: Mapping[str, object] = {
    "auto.offset.reset": "error",
    "enable.partition.eof": False,
    "queued.max.messages.kbytes": 16_384,
    "fetch.queue.backoff.ms": 10,  # it would wait 1 s whenever that is full
}


class Listener(Protocol):
    """Who listens; every method is called in the loop."""

    def heard(self, runs: Sequence[Run]) -> None:
        """Take a batch of events; those of one partition come in order.

        Another one may come, and one more after each call of `more`.
        """

    def out_of_range(self, partition: int) -> None:
        """Take note that nothing is read of a partition: its position is not in the log.

        Reading goes on where `read_on` says.
        """

    def refused(self, error: EventstreamError) -> None:
        """Take note that Kafka lets nobody with these credentials read the topic."""


class LiveReader:
    """Reads one topic for a listener; made in the loop that owns it.

    Args:
        kafka: How to reach Kafka.
        topic: The topic.
        listener: Called in the loop.
        batch_bytes: The most bytes of values in a batch of several events.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, listener: Listener, batch_bytes: int
    ) -> None:
        self._topic = topic
        self._batch_bytes = batch_bytes
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._wishes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._room = threading.Semaphore(BATCHES_ON_THEIR_WAY)
        self._stopping = False
        self._consumer = connect_reader(kafka, OPTIONS)
        self._thread = threading.Thread(target=self._run, name=f"events-{topic}", daemon=True)

    def start(self) -> None:
        """Begin; nothing is read yet."""
        self._thread.start()

    def read(self, starts: Mapping[int, int]) -> None:
        """Read these partitions too, each from its offset on."""
        places = [TopicPartition(self._topic, *start) for start in starts.items()]
        self._wishes.put(lambda: self._consumer.incremental_assign(places))

    def read_on(self, partition: int, offset: int) -> None:
        """Read a partition from another offset on."""
        self._wishes.put(lambda: self._move(TopicPartition(self._topic, partition, offset)))

    def more(self) -> None:
        """Take another batch."""
        self._room.release()

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
                log.exception("reading for HTTP clients failed; it goes on", topic=self._topic)
        self._consumer.close()

    def _turn(self) -> None:
        while not self._wishes.empty():
            self._wishes.get()()
        message = self._consumer.poll(POLL_S)
        if message is None:
            return
        good = []
        for each in (message, *self._consumer.consume(BATCH_EVENTS - 1, 0)):
            error = each.error()
            if error is None:
                good.append(each)
            else:
                self._hand_over(good)
                good = []
                self._note(error, each.partition() or 0)
        self._hand_over(good)

    def _move(self, place: TopicPartition) -> None:
        # A seek is refused once the client gave the partition's position up.
        with contextlib.suppress(KafkaException):
            self._consumer.incremental_unassign([place])
        self._consumer.incremental_assign([place])

    def _hand_over(self, messages: list[Message]) -> None:
        if not messages:
            return
        for batch in self._cut(messages):
            while not self._room.acquire(timeout=POLL_S):
                if self._stopping:
                    return
            self._tell(self._listener.heard, list(runs_of(batch, self._topic)))

    def _cut(self, messages: list[Message]) -> Iterator[list[Message]]:
        if sum(map(len, messages)) <= self._batch_bytes:
            yield messages
            return
        batch: list[Message] = []
        size = 0
        for message in messages:
            if batch and size + len(message) > self._batch_bytes:
                yield batch
                batch, size = [], 0
            batch.append(message)
            size += len(message)
        yield batch

    def _note(self, error: KafkaError, partition: int) -> None:
        ours = translate(error, self._topic)
        if error.code() in NOT_IN_THE_LOG:
            self._tell(self._listener.out_of_range, partition)
        elif isinstance(ours, NotAuthorized):
            self._tell(self._listener.refused, ours)
        else:
            log.warning("reading for HTTP clients met a problem; it goes on", problem=str(ours))

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(what, *arguments)
