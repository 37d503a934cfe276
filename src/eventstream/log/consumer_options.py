"""How a worker's Kafka consumer is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings, WorkerSettings

# The client tells a broker's refusal of KIP-848 within the text of a fatal error.
_REFUSALS = tuple(
    KafkaError(code).str()
    for code in (KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE)
)


def refuses_protocol(error: KafkaError) -> bool:
    """Whether a fatal error says that the broker does not know the group protocol `consumer`."""
    return any(refusal in error.str() for refusal in _REFUSALS)


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
