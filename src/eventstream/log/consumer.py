"""Events from Kafka: one thread reads, the event loop works.

The thread owns the Kafka consumer, whose calls exclude each other: it polls, commits, pauses and
resumes, and runs the rebalance callbacks. It hands each batch to the loop with one call, and asks
the loop to finish what it runs before partitions move away. The loop wishes for commits.

At the bound the thread waits for room. Pausing throws away what the client has fetched ahead, and
the client takes up to a second to fetch again, so partitions are paused only when no room came for
`PAUSE_AFTER_S`. From then on the client is polled for the group's sake, until a quarter of the
bound is free.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from eventstream.errors import EventstreamError, InvalidSetting, KafkaUnavailable, NotAuthorized
from eventstream.log.commits import Commits, as_kafkas, commit_now
from eventstream.log.consumer_options import consumer_options, refuses_protocol
from eventstream.log.faults import translate
from eventstream.log.listener import NOWHERE, Position
from eventstream.log.lookout import LOOKUP_TIMEOUT_S, Lookout
from eventstream.log.placing import Placing
from eventstream.log.received import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from eventstream.log.bound import Bound
    from eventstream.log.listener import Listener, Partition, Positions
    from eventstream.settings import KafkaSettings, WorkerSettings

log = structlog.get_logger(__name__)

BATCH_EVENTS = 2_000
POLL_INTERVAL_S = 0.1
WORKING_POLL_INTERVAL_S = 0.01
PAUSE_AFTER_S = 2.0
GIVE_UP_MARGIN_S = 5.0
TELL_AGAIN_S = 60.0


class Consumer:
    """A member of a consumer group, read in a thread of its own.

    Args:
        kafka: How to reach Kafka.
        settings: The worker's settings.
        topics: What to subscribe to.
        listener: Called in the loop with everything that happens.
        bound: How much may be read before it is committed.
        placed: Those of the topics whose partitions are read from where the listener says.

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
        placed: Collection[str] = (),
    ) -> None:
        self._kafka = kafka
        self._settings = settings
        self._topics = list(topics)
        self._only_topic = topics[0] if len(topics) == 1 else None
        self._listener = listener
        self._bound = bound
        self._commits = Commits(bound)
        self._placing = Placing(placed, from_beginning=settings.from_beginning)
        self._protocol = kafka.client_options().get("group.protocol", "consumer")
        self._consumer = self._connect()
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self._lookout = Lookout(self._topics, self._judge)
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Event
        self._batches = 0
        self._stopping = False
        self._paused = False
        self._held: set[Partition] = set()
        self._to_hold: frozenset[Partition] = frozenset()
        self._full_since = 0.0
        self._tell_again: dict[str, float] = {}
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

    async def commit(self, positions: Positions) -> set[Partition]:
        """Commit, one call at a time; return the partitions whose positions Kafka took.

        Raises:
            EventstreamError: It took none.
        """
        return await self._commits.commit(positions)

    def hold(self, partitions: frozenset[Partition]) -> None:
        """Read on from all partitions but these; what was fetched of them may still come."""
        self._to_hold = partitions

    def place(self, partition: Partition, offset: int) -> None:
        """Read a partition from an offset on, if it is still this process's; `assigned` follows."""
        self._placing.place(partition, offset)
        self._bound.wake()

    def end_offset(self, topic: str, partition: int) -> int:
        """One more than the partition's last offset, as last heard; -1 when not heard yet."""
        return self._lookout.ends.get((topic, partition), -1)

    def _connect(self) -> KafkaConsumer:
        options = consumer_options(self._kafka, self._settings, self._protocol)
        try:
            return KafkaConsumer(
                {**options, "error_cb": self._judge, "on_commit": self._commits.on_commit},
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
        if self._commits.is_wished:
            self._commits.grant(self._consumer)
        if self._placing.is_due:
            self._place()
        self._lookout.look(self._consumer)
        if self._is_at_the_bound():
            self._stay_at_the_bound()
            return
        self._leave_the_bound()
        message = self._consumer.poll(WORKING_POLL_INTERVAL_S if bound.events else POLL_INTERVAL_S)
        if message is not None:
            more = self._consumer.consume(min(bound.room, BATCH_EVENTS) - 1, 0)
            self._hand_over([message, *more])

    def _is_at_the_bound(self) -> bool:
        return self._bound.is_nearly_full if self._paused else not self._bound.room

    def _stay_at_the_bound(self) -> None:
        now = time.monotonic()
        self._full_since = self._full_since or now
        wait_s = POLL_INTERVAL_S if self._paused else self._full_since + PAUSE_AFTER_S - now
        if self._bound.wait(wait_s, self._has_something_to_do):
            return
        if not self._paused:
            self._pause()
        message = self._consumer.poll(0)
        if message is not None:
            # It was on its way, or of a partition that was assigned after the pause.
            self._pause()
            self._hand_over([message])

    def _has_something_to_do(self) -> bool:
        is_wanted = self._stopping or self._commits.is_wished or self._placing.is_due
        return is_wanted or not self._is_at_the_bound()

    def _leave_the_bound(self) -> None:
        self._full_since = 0.0
        if self._paused:
            self._consumer.resume(self._placing.without_waiting(self._consumer.assignment()))
            self._paused = False
            self._held = set()
        if self._held != self._to_hold:
            self._hold()

    def _place(self) -> None:
        if starts := self._placing.find_starts(self._consumer):
            self._loop.call_soon_threadsafe(self._listener.entrusted, starts)
        if placed := self._placing.seek(self._consumer, is_paused=self._paused):
            self._loop.call_soon_threadsafe(self._listener.assigned, placed)

    def _pause(self) -> None:
        self._consumer.pause(self._consumer.assignment())
        self._paused = True

    def _hold(self) -> None:
        assigned = self._consumer.assignment()
        self._consumer.pause(
            [one for one in assigned if (one.topic, one.partition) in self._to_hold]
        )
        free = self._held - self._to_hold
        self._consumer.resume([one for one in assigned if (one.topic, one.partition) in free])
        self._held = set(self._to_hold)

    def _hand_over(self, messages: list[Message]) -> None:
        if any(map(Message.error, messages)):
            messages = [message for message in messages if not self._is_error(message)]
        self._batches += 1
        runs = list(runs_of(messages, self._only_topic, self._batches))
        self._bound.take(len(messages), sum(run.size for run in runs))
        self._loop.call_soon_threadsafe(self._listener.received, runs)

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is not None:
            self._judge(error, message.topic() or "")
        return error is not None

    def _judge(self, error: KafkaError, topic: str = "") -> None:
        ours = translate(error, topic)
        is_fatal = error.fatal() or error.code() == KafkaError._FATAL
        if is_fatal and self._protocol == "consumer" and refuses_protocol(error):
            self._protocol_refused = True
        elif is_fatal or isinstance(ours, NotAuthorized):
            self._fatal = ours
        else:
            self._tell(ours)

    def _tell(self, problem: EventstreamError) -> None:
        """Log a problem that passes by itself, not more often than every `TELL_AGAIN_S`."""
        now = time.monotonic()
        if isinstance(problem, KafkaUnavailable):
            self._lookout.put_topics_off()
        if now >= self._tell_again.get(str(problem), 0.0):
            self._tell_again[str(problem)] = now + TELL_AGAIN_S
            log.warning("Kafka reports a problem", problem=str(problem))

    def _on_assign(self, partitions: Sequence[Partition]) -> None:
        if partitions:
            log.info("partitions assigned", partitions=_shown(partitions))
        self._held.difference_update(partitions)
        waiting = self._placing.assigned(partitions)
        if waiting:
            # The client assigns when this callback has returned, unless that was done here.
            self._consumer.incremental_assign([TopicPartition(*where) for where in partitions])
            self._consumer.pause([TopicPartition(*where) for where in waiting])
        positions = dict.fromkeys(set(partitions).difference(waiting), NOWHERE)
        if waiting and not positions:
            return
        try:
            known = self._consumer.committed(as_kafkas(positions), LOOKUP_TIMEOUT_S)
        except KafkaException as error:
            problem = str(translate(error.args[0]))
            log.warning("what is finished beyond the positions is not known", problem=problem)
        else:
            for one in known:
                if one.offset >= 0:
                    where = one.topic, one.partition
                    positions[where] = Position(one.offset, one.metadata or "")
        self._loop.call_soon_threadsafe(self._listener.assigned, positions)

    def _on_revoke(self, partitions: Sequence[Partition]) -> None:
        self._placing.left(partitions)
        finishing = asyncio.run_coroutine_threadsafe(self._listener.give_up(partitions), self._loop)
        try:
            positions = finishing.result(self._settings.drain_timeout_s + GIVE_UP_MARGIN_S)
        except TimeoutError:
            finishing.cancel()
            self._on_lost(partitions)
            return
        self._commits.drop()
        outcome = commit_now(self._consumer, positions) if positions else set()
        if isinstance(outcome, EventstreamError) or len(outcome) < len(positions):
            log.warning("some of what is done was not committed and comes again", problem=outcome)
        log.info("partitions given up", partitions=_shown(partitions))

    def _on_lost(self, partitions: Sequence[Partition]) -> None:
        log.warning("partitions lost", partitions=_shown(partitions))
        self._placing.left(partitions)
        self._commits.drop()
        self._loop.call_soon_threadsafe(self._listener.lost, partitions)


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
