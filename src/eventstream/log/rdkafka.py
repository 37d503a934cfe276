"""A producer on librdkafka, which speaks every way of Kafka's to log in and to compress."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer

from eventstream.errors import InvalidSetting, QueueFull
from eventstream.log.faults import translate
from eventstream.log.producing import NO_OFFSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from eventstream.errors import EventstreamError
    from eventstream.events import Headers
    from eventstream.log.producing import OnDelivery, OnRun
    from eventstream.settings import KafkaSettings, ProducerSettings

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


def _queue_full(topic: str) -> QueueFull:
    return QueueFull(f"Topic {topic!r}: the producer's queue is full; try again.")


class RdkafkaProducer:
    """An idempotent producer, owned by an event loop: made, fed and polled there.

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
        self._produce: Any = self._producer.produce
        self._call_later = loop.call_later
        self._polling = False
        self.max_record_bytes = settings.max_record_bytes
        self._lost = True

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

        def reported(error: KafkaError | None, report: Message) -> None:
            on_delivery(*said(error, report), report.timestamp()[1])

        more = (list(headers),) if headers else ()
        try:
            self._produce(topic, value, key, partition, reported, None, timestamp_ms, *more)
        except BufferError:
            raise _queue_full(topic) from None
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        self._poll_soon()

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
        produce = self._produce
        more = (list(headers),) if headers else ()

        def reported(number: int, error: KafkaError | None, report: Message) -> None:
            on_run(*said(error, report), number, 1)

        sent = 0
        try:
            for sent, value in enumerate(values):
                report = partial(reported, sent)
                produce(topic, value, key, -1, report, None, timestamp_ms, *more)
        except BufferError:
            return sent, _queue_full(topic)
        except KafkaException as error:
            return sent, translate(error.args[0], topic)
        finally:
            self._poll_soon()
        return len(values), None

    def _poll_soon(self) -> None:
        if not self._polling:
            self._polling = True
            self._call_later(POLL_INTERVAL_S, self._poll)

    @property
    def lost(self) -> bool:
        """Whether every broker was lost since this was asked last; true at first."""
        self._poll_now()
        lost, self._lost = self._lost, False
        return lost

    def _poll_now(self) -> None:
        try:
            self._producer.poll(0)
        except Exception:
            log.exception("a delivery report's callback failed")

    def _failed(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._lost = True

    def _poll(self) -> None:
        self._poll_now()
        if len(self._producer):
            self._call_later(POLL_INTERVAL_S, self._poll)
        else:
            self._polling = False

    def __len__(self) -> int:
        """Events without an answer yet."""
        return len(self._producer)

    async def drain(self, timeout_s: float) -> int:
        """Wait for what has no answer; see `producing.Producer.drain`."""
        flush = self._producer.flush
        return int(await asyncio.get_running_loop().run_in_executor(None, flush, timeout_s))

    def close(self) -> None:
        """Let go of everything; see `producing.Producer.close`."""


def said(error: KafkaError | None, report: Message) -> tuple[KafkaError | None, int, int]:
    """Read the client's report as `producing.OnDelivery` has it: error, partition, offset."""
    partition, offset = report.partition(), report.offset()
    if offset is None:
        return error or NO_OFFSET, -1 if partition is None else partition, -1
    return error, -1 if partition is None else partition, offset
