"""Offsets that a topic's partitions have at a place somebody names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import OFFSET_END, TopicPartition

from eventstream.errors import PartitionNotFound
from eventstream.log.faults import translate
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Consumer

    from eventstream.log.start import Start

TIMEOUT_S = 10.0


class Extent(NamedTuple):
    """A partition's oldest offset, and one more than its newest."""

    oldest: int
    end: int


def partitions_of(consumer: Consumer, topic: str, only: int | None = None) -> list[int]:
    """Ask Kafka for a topic's partitions; or make sure that it has the `only` one.

    Raises:
        TopicNotFound: There is no such topic.
        PartitionNotFound: The topic has no such partition.
        KafkaUnavailable: Kafka did not answer.
    """
    found = metadata(consumer, TIMEOUT_S, topic).topics[topic]
    if found.error is not None:
        raise translate(found.error, topic)
    if only is None:
        return sorted(found.partitions)
    if only not in found.partitions:
        raise PartitionNotFound(
            f"Topic {topic!r} has no partition {only}; it has {len(found.partitions)}, from 0 on."
        )
    return [only]


def extents(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, Extent]:
    """Ask Kafka how far partitions reach.

    Raises:
        KafkaException: Kafka did not answer, or refused.
    """
    return {
        each: Extent(*consumer.get_watermark_offsets(TopicPartition(topic, each), TIMEOUT_S))
        for each in partitions
    }


def offsets_at(
    consumer: Consumer, topic: str, start: Start, reach: Mapping[int, Extent]
) -> dict[int, int]:
    """Find the offset of each partition where reading starts; its end where nothing is so new.

    Raises:
        KafkaException: Kafka did not answer, or refused.
    """
    if start.at == "earliest":
        return {each: extent.oldest for each, extent in reach.items()}
    if start.at == "latest":
        return {each: extent.end for each, extent in reach.items()}
    asked = [TopicPartition(topic, each, start.timestamp_ms) for each in reach]
    found = {one.partition: one.offset for one in consumer.offsets_for_times(asked, TIMEOUT_S)}
    return {
        each: reach[each].end if offset == OFFSET_END else offset for each, offset in found.items()
    }
