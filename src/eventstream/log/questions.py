"""What a gateway asks Kafka about its topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.leaders import wait_for_leaders
from eventstream.log.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.settings import KafkaSettings


class Questions:
    """Asks a cluster; every call blocks, in whichever thread.

    Args:
        kafka: How to reach Kafka.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)

    def topics(self, timeout_s: float) -> dict[str, int]:
        """Ask for all topics and how many partitions each has.

        Raises:
            KafkaUnavailable: No broker answered in time.
        """
        return {
            name: len(topic.partitions)
            for name, topic in metadata(self._client, timeout_s).topics.items()
            if topic.error is None
        }

    def wait_for_leaders(self, partitions: Mapping[str, int], timeout_s: float) -> None:
        """Wait until topics made a moment ago may be sent to.

        Raises:
            EventstreamError: Some partition's leader did not answer in time, or Kafka refuses.
        """
        wait_for_leaders(self._client, partitions, timeout_s)

    def leaderless(self, topic: str, timeout_s: float) -> list[int]:
        """List the topic's partitions that nobody leads now.

        Raises:
            KafkaUnavailable: No broker answered in time.
            TopicNotFound: There is no such topic.
        """
        found = metadata(self._client, timeout_s, topic).topics[topic]
        if found.error is not None:
            raise translate(found.error, topic)
        return [number for number, part in found.partitions.items() if part.leader < 0]
