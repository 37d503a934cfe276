"""A few records, written and acknowledged before anything else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException

from eventstream.errors import EventstreamError, OutcomeUnknown
from eventstream.log.faults import translate
from eventstream.log.producing import NO_OFFSET
from eventstream.log.rdkafka import connect, producer_options
from eventstream.settings import ProducerSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import KafkaError, Message

    from eventstream.events import Headers
    from eventstream.settings import KafkaSettings


class Record(NamedTuple):
    """What is written, and where."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


def write(kafka: KafkaSettings, records: Iterable[Record]) -> None:
    """Write records in order; blocks until all in-sync replicas have them.

    Raises:
        EventstreamError: Some were not acknowledged; the others are written.
    """
    settings = ProducerSettings()
    producer = connect(producer_options(kafka, settings))
    problems: list[EventstreamError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None or message.offset() is None:
            problems.append(translate(error or NO_OFFSET, message.topic() or "", was_sent=True))

    for record in records:
        try:
            producer.produce(
                record.topic,
                record.value,
                record.key,
                record.partition,
                delivered,
                headers=list(record.headers),
            )
        except KafkaException as error:
            raise translate(error.args[0], record.topic) from None
    if producer.flush(settings.delivery_timeout_s + 1):
        problems.append(OutcomeUnknown("Kafka did not acknowledge everything in time."))
    if problems:
        raise problems[0]
