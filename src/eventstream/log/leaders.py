"""Whether brokers lead the partitions that metadata says they lead.

On a topic made a moment ago they may not yet. An idempotent producer's first batches of a partition
must not meet that moment: when the first is refused and the second, a little later, is taken, the
broker takes the first one's second try for a duplicate, because a producer it does not know may
begin with any sequence number (KIP-360); the event is lost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from eventstream.errors import KafkaUnavailable, NotAuthorized
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

_PAUSE_S = 0.01


def wait_for_leaders(client: AdminClient, partitions: Mapping[str, int], timeout_s: float) -> None:
    """Wait until every partition's leader answers as such; blocks.

    Args:
        client: Asks them.
        partitions: How many partitions each topic has.
        timeout_s: How long that may take.

    Raises:
        EventstreamError: Some did not answer in time, or Kafka refuses.
    """
    deadline = time.monotonic() + timeout_s
    places = [
        TopicPartition(topic, number)
        for topic, count in partitions.items()
        for number in range(count)
    ]
    while places:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise KafkaUnavailable(
                f"Topic {places[0].topic!r}: partition {places[0].partition} has no leader yet;"
                " try again."
            )
        wanted: dict[TopicPartition, Any] = dict.fromkeys(places, OffsetSpec.latest())
        asked = client.list_offsets(wanted, request_timeout=left_s)
        places = [place for place, answer in asked.items() if not _is_led(place.topic, answer)]
        if places:
            time.sleep(min(_PAUSE_S, left_s))


def _is_led(topic: str, answer: Any) -> bool:
    try:
        answer.result()
    except KafkaException as error:
        problem = translate(error.args[0], topic)
        if isinstance(problem, NotAuthorized):
            raise problem from None
        return False
    return True
