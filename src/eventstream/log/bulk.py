"""Many events to one topic, as fast as one process can."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from eventstream.errors import OutcomeUnknown
from eventstream.log.faults import translate
from eventstream.log.producing import NO_OFFSET
from eventstream.log.rdkafka import connect, producer_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import KafkaError, Message

    from eventstream.settings import KafkaSettings, ProducerSettings

ALL_LATENCIES = 10_000
LATENCY_SAMPLE = 16
QUEUE_EVENTS = 200_000
QUEUE_KIB = 512 * 1024
FULL_POLL_S = 0.02


class BulkProducer:
    """Sends events in the calling thread and counts what becomes of them.

    Attributes:
        sent: Events handed to the producer.
        acknowledged: Events that all in-sync replicas have.
        unknown: Events without an answer in time; they may be in the log.
        failures: How many events are not in the log, by the sentence that says why.
        latencies_s: From hand-over to acknowledgement, in seconds: of the first
            ten thousand events and of every sixteenth after them.

    Args:
        kafka: How to reach Kafka.
        settings: How to send.
    """

    def __init__(self, kafka: KafkaSettings, settings: ProducerSettings) -> None:
        self._producer = connect(
            {
                **producer_options(kafka, settings),
                "queue.buffering.max.messages": QUEUE_EVENTS,
                "queue.buffering.max.kbytes": QUEUE_KIB,
                "batch.num.messages": 10_000,
            }
        )
        self.sent = 0
        self.acknowledged = 0
        self.unknown = 0
        self.failures: Counter[str] = Counter()
        self.latencies_s: list[float] = []

    @property
    def unanswered(self) -> int:
        """Events in the queue or on their way."""
        return self.sent - self.acknowledged - self.unknown - self.failures.total()

    def send(self, topic: str, events: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Send keys and values to a topic, in order; waits while the queue is full."""
        produce, poll, delivered = self._producer.produce, self._producer.poll, self._delivered
        for key, value in events:
            try:
                while True:
                    try:
                        produce(topic, value, key, -1, delivered)
                        break
                    except BufferError:
                        poll(FULL_POLL_S)
            except KafkaException as error:
                self.failures[str(translate(error.args[0], topic))] += 1
        self.sent += len(events)
        poll(0)

    def flush(self, timeout_s: float) -> int:
        """Wait for what is unanswered.

        Returns:
            How many events are still unanswered when the time is up.
        """
        return int(self._producer.flush(timeout_s))

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None and message.offset() is not None:
            self.acknowledged = count = self.acknowledged + 1
            if count < ALL_LATENCIES or not count % LATENCY_SAMPLE:
                self.latencies_s.append(message.latency() or 0.0)
            return
        meaning = translate(error or NO_OFFSET, message.topic() or "", was_sent=True)
        if isinstance(meaning, OutcomeUnknown):
            self.unknown += 1
        else:
            self.failures[str(meaning)] += 1
