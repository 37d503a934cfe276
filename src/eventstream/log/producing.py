"""What a producer is to its callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from eventstream.errors import EventstreamError
    from eventstream.events import Headers

DeliveryError = KafkaError
"""What a delivery report says of a failure; `faults.translate` makes one of our errors of it."""

OnDelivery = Callable[[DeliveryError | None, int, int, int], None]
"""Takes an event's delivery report: the error or `None`, the partition, the offset, the time in
milliseconds since the epoch. An offset below 0 is not known: see `NO_OFFSET`."""

OnRun = Callable[[DeliveryError | None, int, int, int, int], None]
"""Takes the delivery report of events one after another: the error or `None`, the partition, the
first offset, the first one's number in the call, and how many they are."""

NO_OFFSET = KafkaError(KafkaError.DUPLICATE_SEQUENCE_NUMBER, "Kafka took the event for a duplicate")
"""What a report without an offset amounts to: the event may be in the log or not."""


class Producer(Protocol):
    """An idempotent producer, owned by an event loop: made, fed and answered there.

    Attributes:
        max_record_bytes: The largest record, of key, value and headers.
    """

    max_record_bytes: int

    @property
    def lost(self) -> bool:
        """Whether every broker was lost since this was asked last; true at first."""

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
        """Take one event.

        Args:
            topic: The topic's name.
            value: The data; `None` writes a tombstone.
            key: The Kafka key, or `None`.
            on_delivery: Called in the loop, once. It must not raise.
            headers: Record headers, in order.
            partition: -1 lets the key decide.
            timestamp_ms: 0 is now.

        Raises:
            QueueFull: Nothing was taken: the producer holds as much as it may.
            EventstreamError: Nothing was taken: the event cannot be sent as it is.
        """

    def send_all(
        self,
        topic: str,
        values: Sequence[bytes],
        key: bytes | None,
        on_run: OnRun,
        headers: Headers = (),
        timestamp_ms: int = 0,
    ) -> tuple[int, EventstreamError | None]:
        """Take many events, alike but for their values.

        Args:
            topic: The topic's name.
            values: Their data.
            key: Their key, or `None`.
            on_run: Called in the loop until every event that was taken is told of, once. It must
                not raise.
            headers: Their record headers, in order.
            timestamp_ms: Their time; 0 is now.

        Returns:
            How many were taken, and what kept the next one from it.
        """

    def __len__(self) -> int:
        """Events without an answer yet."""

    async def drain(self, timeout_s: float) -> int:
        """Wait for what has no answer.

        Returns:
            How many events are still without one when the time is up.
        """

    def close(self) -> None:
        """Let go of everything; what has no answer gets none."""
