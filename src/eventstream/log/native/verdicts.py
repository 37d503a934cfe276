"""What Kafka's error codes say of a batch; pure.

Source: kafka.apache.org/protocol, "Error Codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError

from eventstream.log.native.partition import Verdict

if TYPE_CHECKING:
    from eventstream.log.native.batch import Batch
    from eventstream.log.native.messages import Produced

UNKNOWN = KafkaError(KafkaError._MSG_TIMED_OUT)
"""What is told of an event that may be in the log or not."""
NEVER_SENT = KafkaError(KafkaError._PURGE_QUEUE, "no broker took it in time")
"""What is told of an event that is not in the log, because its time was over before it was sent."""

_MAY_BE_WRITTEN = frozenset(
    {
        KafkaError.UNKNOWN,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.KAFKA_STORAGE_ERROR,
    }
)
"""A leader that is deposed answers NOT_LEADER for what it has appended, too."""
_NOT_WRITTEN = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""A topic that is gone for good is given up when metadata has said so for long enough."""
_PLACE_LOST = frozenset(
    {
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})


class Instead(NamedTuple):
    """What becomes of a batch that was refused.

    Attributes:
        failed: The events that are not written.
        again: Batches to be sent in its place.
    """

    failed: Batch | None
    again: tuple[Batch, ...]

    @property
    def all(self) -> tuple[Batch, ...]:
        """Both."""
        return self.again if self.failed is None else (self.failed, *self.again)


def of(code: int) -> Verdict:
    """Say what an error code means for the batch that it is said of."""
    if code == KafkaError.DUPLICATE_SEQUENCE_NUMBER:
        return Verdict.WRITTEN
    if code in _PLACE_LOST:
        return Verdict.OUT_OF_ORDER
    if code in _MAY_BE_WRITTEN:
        return Verdict.UNKNOWN
    if code in _NOT_WRITTEN:
        return Verdict.AGAIN
    return Verdict.REFUSED


def parts_of(said: Produced, batch: Batch) -> Instead:
    """Say what of a refused batch may be written all the same.

    Kafka refuses a batch whole. If it names the records that are why, the others are sent again; if
    the batch is too large, its halves are.
    """
    if said.faults and len(said.faults) < batch.count:
        failed, others = batch.parted(frozenset(said.faults))
        return Instead(failed, (others,))
    if said.error in _TOO_LARGE and batch.count > 1:
        return Instead(None, batch.parted(range(batch.count // 2)))
    return Instead(batch, ())
