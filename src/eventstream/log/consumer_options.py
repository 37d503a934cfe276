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

    A static member (`instance_id`) that leaves keeps its partitions: librdkafka's close() has them
    given up as always, so what is done is committed, and then tells the group that the member will
    be back (KIP-848's epoch -2; a classic member says nothing). Whoever joins by the same name
    within the session timeout, 45 s, has the same partitions at once. One that died told nothing:
    until its session times out KIP-848 refuses the name to another (UNRELEASED_INSTANCE_ID), which
    ends that client, where a classic group lets the newer one in.

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
    if settings.instance_id is not None:
        options["group.instance.id"] = settings.instance_id
    if protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return {
        **options,
        **kafka.client_options(),
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }
