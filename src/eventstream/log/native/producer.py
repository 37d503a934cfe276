"""Events to Kafka, and delivery reports back, all in the event loop."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from time import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from eventstream.errors import QueueFull
from eventstream.log.native import verdicts
from eventstream.log.native.cluster import Cluster
from eventstream.log.native.sender import Sender
from eventstream.log.native.topic import Early, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventstream.errors import EventstreamError
    from eventstream.events import Headers
    from eventstream.log.native.batch import Batch
    from eventstream.log.native.broker import Broker
    from eventstream.log.native.messages import TopicLeaders
    from eventstream.log.native.partition import Partition
    from eventstream.log.producing import OnDelivery, OnRun

TICK_S = 0.1
UNKNOWN_TOPIC_S = 5.0
"""How long a topic that Kafka does not know may be one that it does not know yet."""
_FOR_GOOD = frozenset({KafkaError.TOPIC_EXCEPTION, KafkaError.TOPIC_AUTHORIZATION_FAILED})
"""What Kafka says of a topic that does not change by waiting."""


class NativeProducer:
    """An idempotent producer, owned by an event loop: made, fed and answered there.

    Events are gathered per partition, and what a broker leads goes to it in one request: at once
    when nothing is under way, else a little later, and when much is, as soon as something is
    answered. So a lone event waits for nobody, and the more there are, the more travel together.

    Args:
        bootstrap_servers: Whom to ask first.
        client_id: What brokers are to know this client by.
        loop: The loop.
        linger_s: How long an event waits for others while something is under way.
        delivery_timeout_s: How long it may wait for its acknowledgement.
        max_record_bytes: The largest record.
        queue_events: The most events without an answer.
        queue_bytes: Their most bytes.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        client_id: str,
        loop: asyncio.AbstractEventLoop,
        *,
        linger_s: float,
        delivery_timeout_s: float,
        max_record_bytes: int,
        queue_events: int,
        queue_bytes: int,
    ) -> None:
        self.max_record_bytes = max_record_bytes
        self._lost = True
        self._loop = loop
        self._linger_s = linger_s
        self._timeout_s = delivery_timeout_s
        self._most_events = queue_events
        self._most_bytes = queue_bytes
        self._events = 0
        self._bytes = 0
        self._topics: dict[str, Topic] = {}
        self._cluster = Cluster(
            bootstrap_servers, client_id, loop, self._broker_changed, self._take_topics
        )
        self._sender = Sender(self._cluster, loop, delivery_timeout_s, self._out)
        self._sending_soon = False
        self._ticking = False
        self._drained: asyncio.Future[None] | None = None
        self._cluster.any()

    @property
    def lost(self) -> bool:
        """Whether every broker was lost since this was asked last; true at first."""
        lost, self._lost = self._lost, False
        return lost

    def __len__(self) -> int:
        """Events without an answer yet."""
        return self._events

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        on_delivery: OnDelivery,
        headers: Headers = (),
        partition: int = -1,
        timestamp_ms: int = 0,
    ) -> None:
        """Take one event; see `producing.Producer.send`."""
        if self._events >= self._most_events or self._bytes >= self._most_bytes:
            raise _queue_full(topic)
        found = self._topics.get(topic)
        if found is None or len(found.partitions) <= max(0, partition):
            again = partial(
                self.send, topic, value, key, on_delivery, headers, partition, timestamp_ms
            )
            self._wait_for(topic, 1, again, lambda error: on_delivery(error, -1, -1, 0))
            return
        place = found.place(key, partition)
        now_ms = timestamp_ms or int(time() * 1000)
        batch = place.open
        if batch is None or not batch.has_room(0 if value is None else len(value)):
            batch = self._begin(place, now_ms)
        before = batch.size
        batch.add(value, key, headers, now_ms, on_delivery)
        self._bytes += batch.size - before
        self._events += 1
        if not self._sending_soon:
            self._send_soon()

    def send_all(
        self,
        topic: str,
        values: Sequence[bytes],
        key: bytes | None,
        on_run: OnRun,
        headers: Headers = (),
        timestamp_ms: int = 0,
    ) -> tuple[int, EventstreamError | None]:
        """Take many events; see `producing.Producer.send_all`."""
        room = self._most_events - self._events if self._bytes < self._most_bytes else 0
        full = _queue_full(topic) if len(values) > room else None
        values = values[:room]
        found = self._topics.get(topic)
        if found is None or not found.partitions:
            again = partial(self.send_all, topic, values, key, on_run, headers, timestamp_ms)
            count = len(values)
            self._wait_for(topic, count, again, lambda error: on_run(error, -1, -1, 0, count))
            return count, full
        place = found.place(key, -1)
        now_ms = timestamp_ms or int(time() * 1000)
        taken = 0
        while taken < len(values):
            batch = place.open
            if batch is None or not batch.has_room(len(values[taken])):
                batch = self._begin(place, now_ms)
            before = batch.size
            taken += batch.add_run(values[taken:], key, headers, now_ms, on_run, taken)
            self._bytes += batch.size - before
        self._events += taken
        if not self._sending_soon:
            self._send_soon()
        return taken, full

    async def drain(self, timeout_s: float) -> int:
        """Wait for what has no answer; see `producing.Producer.drain`."""
        if self._events:
            self._drained = self._loop.create_future()
            await asyncio.wait((self._drained,), timeout=timeout_s)
        return self._events

    def close(self) -> None:
        """Let go of everything; see `producing.Producer.close`."""
        self._cluster.close()

    # What is not known yet

    def _wait_for(
        self,
        name: str,
        events: int,
        again: Callable[[], object],
        give_up: Callable[[KafkaError], None],
    ) -> None:
        """Hold a call until the topic's partitions are known, or it is clear that it has none."""
        now_s = self._loop.time()
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic()
            self._cluster.topics.add(name)
        topic.early.append(Early(events, again, give_up, now_s))
        self._events += events
        self._cluster.refresh()
        self._tick_soon()

    def _take_topics(self, topics: dict[str, TopicLeaders]) -> None:
        for name, said in topics.items():
            topic = self._topics.get(name)
            if topic is None:
                continue
            if said.error in _FOR_GOOD or self._is_long_unknown(topic, said.error):
                self._forget(name, KafkaError(said.error))
                continue
            if len(said.leaders) > len(topic.partitions):
                topic.extend(name, len(said.leaders))
            for place in topic.partitions:
                place.leader = said.leaders.get(place.number, -1)
            while topic.early:
                early = topic.early.popleft()
                self._events -= early.events
                early.again()
        for broker in self._cluster.brokers.values():
            broker.ready.clear()
        for topic in self._topics.values():
            for place in topic.partitions:
                self._sender.make_ready(place)
        self._send()

    def _is_long_unknown(self, topic: Topic, error: int) -> bool:
        """Whether Kafka has not known a topic for so long that it is not one made a moment ago."""
        now_s = self._loop.time()
        if error != KafkaError.UNKNOWN_TOPIC_OR_PART:
            topic.unknown_since_s = None
        elif topic.unknown_since_s is None:
            topic.unknown_since_s = now_s
        return topic.unknown_since_s is not None and now_s - topic.unknown_since_s > UNKNOWN_TOPIC_S

    def _forget(self, name: str, error: KafkaError) -> None:
        """Give up all that waits for a topic, and the topic; what is under way is still heard."""
        topic = self._topics.pop(name)
        self._cluster.topics.discard(name)
        while topic.early:
            self._give_up_early(topic, error)
        for place in topic.partitions:
            place.is_gone = True
            self._sender.expire(place, math.inf, error)

    def _give_up_early(self, topic: Topic, error: KafkaError) -> None:
        early = topic.early.popleft()
        self._out(early.events)
        early.give_up(error)

    def _broker_changed(self, broker: Broker) -> None:
        if broker.is_up:
            self._sender.prepare()
            self._cluster.refresh()
            self._send()
        else:
            self._lost = self._lost or not self._cluster.is_reachable
            if broker.ready:
                broker.connect()
                self._cluster.refresh()

    # Sending

    def _begin(self, place: Partition, now_ms: int) -> Batch:
        batch = place.begin(self._loop.time(), now_ms)
        self._sender.make_ready(place)
        return batch

    def _send_soon(self) -> None:
        self._sending_soon = True
        self._tick_soon()
        if self._linger_s and self._sender.is_busy:
            self._loop.call_later(self._linger_s, self._send)
        else:
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._sending_soon = False
        self._sender.send()

    def _out(self, events: int, size: int = 0) -> None:
        """Count events out that have their answer, or are about to get it."""
        self._events -= events
        self._bytes -= size
        if not self._events and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Time

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        now_s = self._loop.time()
        before_s = now_s - self._timeout_s
        waits = False
        for name, topic in list(self._topics.items()):
            while topic.early and topic.early[0].since_s < before_s:
                self._give_up_early(topic, verdicts.NEVER_SENT)
            for place in topic.partitions:
                self._sender.expire(place, before_s, verdicts.NEVER_SENT)
                self._sender.make_ready(place)
                waits = waits or not place.is_idle
            waits = waits or bool(topic.early)
            if topic.early and name in self._topics:
                self._cluster.refresh()
        self._cluster.tick(now_s)
        self._send()
        self._ticking = False
        if waits:
            self._tick_soon()


def _queue_full(topic: str) -> QueueFull:
    return QueueFull(f"Topic {topic!r}: the producer's queue is full; try again.")
