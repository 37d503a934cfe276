"""Events to Kafka, delivery reports back in the event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer

from eventstream.errors import InvalidSetting, QueueFull
from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.leaders import wait_for_leaders
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    import asyncio

    from eventstream.errors import EventstreamError
    from eventstream.events import Headers
    from eventstream.settings import KafkaSettings, ProducerSettings

DeliveryError = KafkaError
"""What a delivery report says of a failure; `faults.translate` makes one of our errors of it."""

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 0.001
_RECORD_OVERHEAD_BYTES = 512


def producer_options(kafka: KafkaSettings, settings: ProducerSettings) -> dict[str, object]:
    """Options of the idempotent producer every part of ours sends with.

    Keys are partitioned as the Java client does (murmur2), so that all clients agree.
    """
    return {
        **kafka.client_options(),
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": settings.linger_ms,
        "compression.type": settings.compression,
        "partitioner": "murmur2_random",
        "message.max.bytes": settings.max_record_bytes + _RECORD_OVERHEAD_BYTES,
        "delivery.timeout.ms": int(settings.delivery_timeout_s * 1000),
        "request.timeout.ms": min(30_000, int(settings.delivery_timeout_s * 1000)),
        "topic.metadata.propagation.max.ms": 5_000,
        "log.connection.close": False,
    }


def connect(options: dict[str, object]) -> KafkaProducer:
    """Make a Kafka producer.

    Raises:
        InvalidSetting: The client refuses an option.
    """
    try:
        return KafkaProducer(options, logger=logging.getLogger("eventstream.kafka"))
    except KafkaException as error:
        reason = error.args[0].str()
        raise InvalidSetting(f"The Kafka producer refuses its options: {reason}.") from None


class Report(Protocol):
    """An event's delivery report."""

    def partition(self) -> int:
        """Where the event stands."""

    def offset(self) -> int | None:
        """Its offset there; `None` when Kafka took it for a duplicate: see `log.leaders`."""

    def value(self) -> bytes | None:
        """The event's data."""

    def timestamp(self) -> tuple[int, int]:
        """What kind of time it has there, and the time in milliseconds since the epoch."""


NO_OFFSET = KafkaError(KafkaError.DUPLICATE_SEQUENCE_NUMBER, "Kafka took the event for a duplicate")
"""What a report without an offset amounts to: the event may be in the log or not."""

Delivered = Callable[[DeliveryError | None, Report], None]


def _queue_full(topic: str) -> QueueFull:
    return QueueFull(f"Topic {topic!r}: the producer's queue is full; try again.")


class Producer:
    """One idempotent producer, owned by an event loop: made, fed and polled there.

    While anything is in flight a timer polls for delivery reports; there is no thread and no lock.

    Args:
        kafka: How to reach Kafka.
        settings: How to send.
        loop: The loop that owns this producer.
        queue_events: Room in the queue, in events; the caller's own bound should be no larger.
        queue_bytes: Room in the queue, in bytes.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: ProducerSettings,
        loop: asyncio.AbstractEventLoop,
        *,
        queue_events: int = 200_000,
        queue_bytes: int = 512_000_000,
    ) -> None:
        self._producer = connect(
            {
                **producer_options(kafka, settings),
                "queue.buffering.max.messages": queue_events,
                "queue.buffering.max.kbytes": max(1, queue_bytes // 1024),
                "error_cb": self._failed,
            }
        )
        self._kafka = kafka
        self._produce: Any = self._producer.produce
        self._call_later = loop.call_later
        self._polling = False
        self.max_record_bytes = settings.max_record_bytes
        self.lost = True
        """Whether every broker was lost since somebody last made this false; so it begins."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        on_delivery: Delivered,
        headers: Headers = (),
        partition: int = -1,
        timestamp_ms: int = 0,
    ) -> None:
        """Hand one event to the producer's queue.

        Args:
            topic: The topic's name; it has to exist.
            value: The data; `None` writes a tombstone.
            key: The Kafka key, or `None`.
            on_delivery: Called in the loop with the client's error (`None` when the event is
                acknowledged by all in-sync replicas) and the report. It must not raise.
            headers: Record headers, in order.
            partition: -1 lets the key decide.
            timestamp_ms: 0 is now.

        Raises:
            QueueFull: Nothing was queued: the queue is at its bound.
            EventstreamError: Nothing was queued: the event cannot be sent as it is.
        """
        try:
            if headers:
                self._produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery,
                    None,
                    timestamp_ms,
                    list(headers),
                )
            else:
                self._produce(topic, value, key, partition, on_delivery, None, timestamp_ms)
        except BufferError:
            raise _queue_full(topic) from None
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        if not self._polling:
            self._poll_soon()

    def send_all(
        self,
        topic: str,
        values: Sequence[bytes],
        key: bytes | None,
        on_delivery: Delivered,
        headers: Headers = (),
        timestamp_ms: int = 0,
    ) -> tuple[int, EventstreamError | None]:
        """Hand many events to the producer's queue, alike but for their values.

        A loop of its own: calling `send` for each costs a tenth of the whole way.

        Returns:
            How many were queued, and what kept the next one from it; the arguments are as `send`
            takes them.
        """
        produce = self._produce
        more = (list(headers),) if headers else ()
        sent = 0
        try:
            for value in values:
                produce(topic, value, key, -1, on_delivery, None, timestamp_ms, *more)
                sent += 1
        except BufferError:
            return sent, _queue_full(topic)
        except KafkaException as error:
            return sent, translate(error.args[0], topic)
        finally:
            self._poll_soon()
        return sent, None

    def _poll_soon(self) -> None:
        if not self._polling:
            self._polling = True
            self._call_later(POLL_INTERVAL_S, self._poll)

    def poll(self) -> None:
        """Take what the client has to say, delivery reports above all; an idle one is not asked."""
        try:
            self._producer.poll(0)
        except Exception:
            log.exception("a delivery report's callback failed")

    def _failed(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.lost = True

    def _poll(self) -> None:
        self.poll()
        if len(self._producer):
            self._call_later(POLL_INTERVAL_S, self._poll)
        else:
            self._polling = False

    def __len__(self) -> int:
        """Events without an answer yet."""
        return len(self._producer)

    def flush(self, timeout_s: float) -> int:
        """Send what is queued and wait for its answers, blocking.

        Returns:
            How many events are still without an answer when the time is up.
        """
        return int(self._producer.flush(timeout_s))

    def topics(self, timeout_s: float) -> dict[str, int]:
        """Ask Kafka for its topics and how many partitions each has; blocks, callable anywhere.

        Raises:
            KafkaUnavailable: No broker answered in time.
        """
        return {
            name: len(topic.partitions)
            for name, topic in metadata(self._producer, timeout_s).topics.items()
            if topic.error is None
        }

    def wait_for_leaders(self, partitions: Mapping[str, int], timeout_s: float) -> None:
        """Wait until topics made a moment ago may be sent to; blocks, callable anywhere.

        Raises:
            EventstreamError: Some partition's leader did not answer in time, or Kafka refuses.
        """
        wait_for_leaders(connect_admin(self._kafka), partitions, timeout_s)

    def leaderless(self, topic: str, timeout_s: float) -> list[int]:
        """List the topic's partitions that nobody leads now; blocks, callable anywhere.

        Raises:
            KafkaUnavailable: No broker answered in time.
            TopicNotFound: There is no such topic.
        """
        found = metadata(self._producer, timeout_s, topic).topics[topic]
        if found.error is not None:
            raise translate(found.error, topic)
        return [number for number, part in found.partitions.items() if part.leader < 0]
