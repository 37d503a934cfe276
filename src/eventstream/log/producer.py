"""Which producer is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.log.native.producer import NativeProducer
from eventstream.log.rdkafka import RdkafkaProducer

if TYPE_CHECKING:
    import asyncio

    from eventstream.log.producing import Producer
    from eventstream.settings import KafkaSettings, ProducerSettings

_UNDERSTOOD = frozenset({"bootstrap.servers", "client.id"})
"""Options of librdkafka's that our own producer takes too."""
CLIENT_ID = "eventstream"


def make_producer(
    kafka: KafkaSettings,
    settings: ProducerSettings,
    loop: asyncio.AbstractEventLoop,
    *,
    queue_events: int,
    queue_bytes: int,
) -> Producer:
    """Make a producer: our own, unless it is to log in, to encrypt or to compress.

    Args:
        kafka: How to reach Kafka.
        settings: How to send.
        loop: The loop that owns it.
        queue_events: Room in the queue, in events; the caller's own bound should be no larger.
        queue_bytes: Room in the queue, in bytes.

    Raises:
        InvalidSetting: The client refuses an option.
    """
    options = kafka.client_options()
    if options.keys() - _UNDERSTOOD or settings.compression != "none":
        return RdkafkaProducer(
            kafka, settings, loop, queue_events=queue_events, queue_bytes=queue_bytes
        )
    return NativeProducer(
        options["bootstrap.servers"],
        options.get("client.id", CLIENT_ID),
        loop,
        linger_s=settings.linger_ms / 1000,
        delivery_timeout_s=settings.delivery_timeout_s,
        max_record_bytes=settings.max_record_bytes,
        queue_events=queue_events,
        queue_bytes=queue_bytes,
    )
