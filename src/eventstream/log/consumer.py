"""Events from Kafka: one thread reads, the event loop works.

The thread owns the Kafka consumer, whose calls exclude each other: it polls, commits, pauses and
resumes, and runs the rebalance callbacks. It hands each batch to the loop with one call, and asks
the loop to finish what it runs before partitions move away. The loop leaves it one wish at a time:
positions to commit.

At the bound the thread waits for room. Pausing throws away what the client has fetched ahead and
fetches it again later, so a partition is paused only when no room came for `PAUSE_AFTER_S`; from
then on the client is polled that often for the group's sake, until half of the bound is free.

A commit's answer queues behind the messages fetched ahead. So while the bound is pressed, when
reading may have to stop before the answer's turn comes, the thread waits for the answer; else it
reads on, and events do not wait for commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from eventstream.errors import EventstreamError, InvalidSetting, NotAuthorized
from eventstream.log.faults import translate
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventstream.log.bound import Bound
    from eventstream.log.received import Run
    from eventstream.settings import KafkaSettings, WorkerSettings

log = structlog.get_logger(__name__)

Partition = tuple[str, int]
"""A topic's name and a partition of it."""
Positions = dict[Partition, int]
"""The next offset to read, by partition: what a consumer group commits."""

BATCH_EVENTS = 2_000
POLL_INTERVAL_S = 0.1
WORKING_POLL_INTERVAL_S = 0.01
PAUSE_AFTER_S = 0.1
END_OFFSETS_INTERVAL_S = 1.0
GIVE_UP_MARGIN_S = 5.0
COMMITTED_TIMEOUT_S = 5.0
_NOT_BY_THIS_BROKER = frozenset(
    {KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE},
)


class Listener(Protocol):
    """What the loop does about the thread's news. Every method is called in the loop."""

    def assigned(self, committed: Positions) -> None:
        """Partitions are this process's from now on, from these positions; -1 where none is."""

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


def consumer_options(
    kafka: KafkaSettings, settings: WorkerSettings, protocol: str
) -> dict[str, object]:
    """Options of a worker's consumer.

    Memory is bounded by what the client fetches ahead, a quarter of the bytes a process may hold.
    Transactions stay as librdkafka has them: events of aborted ones are not delivered
    (isolation.level=read_committed).

    Args:
        kafka: How to reach Kafka; its own options go before the defaults here.
        settings: The worker's settings.
        protocol: How the group shares partitions out: `consumer` (KIP-848) or `classic`.
    """
    ahead_kbytes = min(65_536, max(1_024, settings.max_in_flight_bytes // 4096))
    options: dict[str, object] = {
        "auto.offset.reset": "earliest" if settings.from_beginning else "latest",
        "max.poll.interval.ms": int(max(300, settings.drain_timeout_s + 60) * 1000),
        "queued.max.messages.kbytes": ahead_kbytes,
        "fetch.max.bytes": ahead_kbytes * 1024,
        "fetch.queue.backoff.ms": 5,
        "topic.metadata.refresh.interval.ms": 30_000,
        "log.connection.close": False,
        "group.protocol": protocol,
    }
    if protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return {
        **options,
        **kafka.client_options(),
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }


class Consumer:
    """A member of a consumer group, read in a thread of its own.

    Args:
        kafka: How to reach Kafka.
        settings: The worker's settings.
        topics: What to subscribe to.
        listener: Called in the loop with everything that happens.
        bound: How much may be read before it is committed.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: WorkerSettings,
        topics: Sequence[str],
        listener: Listener,
        bound: Bound,
    ) -> None:
        self._kafka = kafka
        self._settings = settings
        self._topics = list(topics)
        self._listener = listener
        self._bound = bound
        self._protocol = kafka.client_options().get("group.protocol", "consumer")
        self._consumer = self._connect()
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self._wish: Positions | None = None
        self._answer: asyncio.Future[Positions]
        self._ends: dict[Partition, int] = {}
        self._ends_due = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Event
        self._stopping = False
        self._paused = False
        self._told: set[tuple[int, str]] = set()
        self._fatal: EventstreamError | None = None
        self._protocol_refused = False

    def start(self) -> None:
        """Join the group and begin to read; needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._thread.start()

    async def stop(self) -> None:
        """Stop reading, give up the partitions, commit, leave the group."""
        self._stopping = True
        self._bound.wake()
        await self._ended.wait()

    async def commit(self, positions: Positions) -> Positions:
        """Commit positions; one call at a time.

        Returns:
            Those that Kafka took.

        Raises:
            EventstreamError: It took none.
        """
        self._answer = self._loop.create_future()
        self._wish = positions
        self._bound.wake()
        return await self._answer

    def end_offset(self, topic: str, partition: int) -> int:
        """One more than the partition's last offset, as last heard; -1 when not heard yet."""
        return self._ends.get((topic, partition), -1)

    def _connect(self) -> KafkaConsumer:
        options = consumer_options(self._kafka, self._settings, self._protocol)
        try:
            return KafkaConsumer(
                {**options, "error_cb": self._judge, "on_commit": self._on_commit},
                logger=logging.getLogger("eventstream.kafka"),
            )
        except KafkaException as error:
            reason = error.args[0].str()
            raise InvalidSetting(f"The Kafka consumer refuses its options: {reason}.") from None

    # Everything below runs in the thread.

    def _run(self) -> None:
        try:
            self._subscribe()
            while not self._stopping and self._fatal is None:
                self._read()
                if self._protocol_refused:
                    self._fall_back()
        except KafkaException as error:
            self._fatal = translate(error.args[0])
        except Exception as error:
            log.exception("the reading thread failed")
            self._fatal = EventstreamError(f"Reading from Kafka failed: {error!r}.")
        if self._fatal is not None:
            self._loop.call_soon_threadsafe(self._listener.failed, self._fatal)
        self._consumer.close()
        self._loop.call_soon_threadsafe(self._ended.set)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            self._topics,
            on_assign=_guarded(self._on_assign),
            on_revoke=_guarded(self._on_revoke),
            on_lost=_guarded(self._on_lost),
        )

    def _fall_back(self) -> None:
        log.info("this Kafka has no KIP-848 groups; joining by the classic protocol")
        self._consumer.close()
        self._protocol, self._protocol_refused = "classic", False
        self._consumer = self._connect()
        self._subscribe()

    def _read(self) -> None:
        bound = self._bound
        if self._wish is not None:
            self._grant_wish()
        if time.monotonic() >= self._ends_due:
            self._look_at_ends()
        if self._is_at_the_bound():
            bound.wait(PAUSE_AFTER_S, until_half=self._paused)
            if self._wish is None and self._is_at_the_bound():
                self._stay_at_the_bound()
            return
        if self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False
        message = self._consumer.poll(WORKING_POLL_INTERVAL_S if bound.events else POLL_INTERVAL_S)
        if message is not None:
            more = self._consumer.consume(min(bound.room, BATCH_EVENTS) - 1, 0)
            self._hand_over([message, *more])

    def _is_at_the_bound(self) -> bool:
        return self._bound.is_pressed if self._paused else not self._bound.room

    def _stay_at_the_bound(self) -> None:
        """Pause, and serve the group; a partition assigned meanwhile delivers, so pause again."""
        message = self._consumer.poll(0)
        if message is not None or not self._paused:
            self._consumer.pause(self._consumer.assignment())
            self._paused = True
        if message is not None:
            self._hand_over([message])

    def _hand_over(self, messages: list[Message]) -> None:
        if any(map(Message.error, messages)):
            messages = [message for message in messages if not self._is_error(message)]
        runs = list(runs_of(messages))
        self._bound.take(len(messages), sum(sum(run.sizes) for run in runs))
        self._loop.call_soon_threadsafe(self._listener.received, runs)

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is not None:
            self._judge(error, message.topic() or "")
        return error is not None

    def _judge(self, error: KafkaError, topic: str = "") -> None:
        ours = translate(error, topic)
        if error.code() in _NOT_BY_THIS_BROKER and self._protocol == "consumer":
            self._protocol_refused = True
        elif error.fatal() or isinstance(ours, NotAuthorized):
            self._fatal = ours
        elif (error.code(), topic) not in self._told:
            self._told.add((error.code(), topic))
            log.warning("Kafka reports a problem", problem=str(ours))

    def _on_assign(self, partitions: Sequence[Partition]) -> None:
        log.info("partitions assigned", partitions=_shown(partitions))
        positions = dict.fromkeys(partitions, -1)
        try:
            known = self._consumer.committed(_as_kafkas(positions), COMMITTED_TIMEOUT_S)
            positions.update(((one.topic, one.partition), max(-1, one.offset)) for one in known)
        finally:
            self._loop.call_soon_threadsafe(self._listener.assigned, positions)

    def _on_revoke(self, partitions: Sequence[Partition]) -> None:
        finishing = asyncio.run_coroutine_threadsafe(self._listener.give_up(partitions), self._loop)
        try:
            positions = finishing.result(self._settings.drain_timeout_s + GIVE_UP_MARGIN_S)
        except TimeoutError:
            finishing.cancel()
            self._on_lost(partitions)
            return
        self._drop_wish()
        if positions:
            self._commit(positions)
        log.info("partitions given up", partitions=_shown(partitions))

    def _on_lost(self, partitions: Sequence[Partition]) -> None:
        log.warning("partitions lost", partitions=_shown(partitions))
        self._drop_wish()
        self._loop.call_soon_threadsafe(self._listener.lost, partitions)

    def _grant_wish(self) -> None:
        wish, self._wish = self._wish or {}, None
        try:
            if self._bound.is_pressed:
                self._reply(self._commit(wish))
            else:
                self._consumer.commit(offsets=_as_kafkas(wish), asynchronous=True)
        except KafkaException as error:
            self._reply(translate(error.args[0]))

    def _drop_wish(self) -> None:
        """Commit nothing that was wished before partitions left: it is not ours any more."""
        if self._wish is not None:
            self._wish = None
            self._reply({})

    def _commit(self, positions: Positions) -> Positions:
        """Commit and wait for the answer: which positions Kafka took."""
        answers = self._consumer.commit(offsets=_as_kafkas(positions), asynchronous=False)
        return _taken(answers)

    def _on_commit(self, error: KafkaError | None, answers: list[TopicPartition]) -> None:
        self._reply(_taken(answers) if error is None else translate(error))

    def _reply(self, outcome: Positions | EventstreamError) -> None:
        def reply(answer: asyncio.Future[Positions]) -> None:
            if answer.done():
                return
            if isinstance(outcome, EventstreamError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self._loop.call_soon_threadsafe(reply, self._answer)

    def _look_at_ends(self) -> None:
        self._ends_due = time.monotonic() + END_OFFSETS_INTERVAL_S
        ends = {}
        for one in self._consumer.assignment():
            with contextlib.suppress(KafkaException):
                _, end = self._consumer.get_watermark_offsets(one, cached=True)
                ends[one.topic, one.partition] = end
        self._ends = ends


def _as_kafkas(positions: Positions) -> list[TopicPartition]:
    return [TopicPartition(*where, position) for where, position in positions.items()]


def _taken(answers: list[TopicPartition]) -> Positions:
    return {(one.topic, one.partition): one.offset for one in answers if not one.error}


def _guarded(
    callback: Callable[[Sequence[Partition]], None],
) -> Callable[[KafkaConsumer, list[TopicPartition]], None]:
    """Keep exceptions out of the client, whose polling chain they would end."""

    def call(_: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        try:
            callback([(one.topic, one.partition) for one in partitions])
        except Exception:
            log.exception("a rebalance callback failed")

    return call


def _shown(partitions: Sequence[Partition]) -> list[str]:
    return [f"{topic}/{partition}" for topic, partition in partitions]
