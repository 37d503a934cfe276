"""Asking a cluster what it has, though a broker may have died a moment ago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from eventstream.log.denial import AskingAdmin, AskingConsumer
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, ClusterMetadata

ATTEMPT_S = 1.0
PAUSE_S = 0.02
_TRY_ANOTHER = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT})


def metadata(
    client: AdminClient | Consumer | Producer, timeout_s: float, topic: str | None = None
) -> ClusterMetadata:
    """Ask for the cluster's brokers and topics, or for one topic; blocks, callable anywhere.

    The client asks one broker and waits for that one, dead or not. So each attempt is short, and
    the next one asks a broker that is up by then. A broker that refuses the client is up.

    Raises:
        EventstreamError: No broker answered in time, or Kafka refused.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        left_s = deadline - time.monotonic()
        attempt_s = max(0.001, min(ATTEMPT_S, left_s))
        try:
            return client.list_topics(topic, timeout=attempt_s)
        except KafkaException as error:
            fault: KafkaError = error.args[0]
            if isinstance(client, AskingAdmin | AskingConsumer):
                fault = client.denial() or fault
            if fault.code() not in _TRY_ANOTHER or left_s <= ATTEMPT_S:
                raise translate(fault, topic or "") from None
            time.sleep(PAUSE_S)
