"""Bulk publishing from one process: from a source to an acknowledged log."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Self

from eventstream.errors import EventstreamError, TopicNotFound
from eventstream.log.admin import Admin
from eventstream.log.bulk import BulkProducer
from eventstream.publisher.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eventstream.publisher.sources import Pair
    from eventstream.settings import KafkaSettings, ProducerSettings

    Progress = Callable[[int], None]
    """Called often with how many events are acknowledged by now."""

ANSWER_POLL_S = 0.1
INTERRUPTED = "interrupted"


class Interrupt:
    """Turns Ctrl-C and SIGTERM into a question the publisher asks between chunks."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._note)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        else:
            self._before = {}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def is_final(self) -> bool:
        """Whether it came a second time: nothing is waited for any more."""
        return self.count > 1

    def _note(self, *_: object) -> None:
        self.count += 1


def require_topic(topic: str, kafka: KafkaSettings) -> None:
    """Make sure that a topic exists.

    Raises:
        TopicNotFound: It does not.
        KafkaUnavailable: Kafka did not answer.
    """
    if topic not in Admin(kafka).topics():
        raise TopicNotFound(f"Topic {topic!r} does not exist; create it, or check the name.")


def publish(
    topic: str,
    source: Iterable[list[Pair]],
    kafka: KafkaSettings,
    settings: ProducerSettings,
    progress: Progress,
    interrupt: Interrupt,
) -> Outcome:
    """Publish a source's events and wait for their acknowledgements.

    An interrupt ends the reading, and waits for what was sent; a second one ends the waiting. An
    event the source cannot give ends the reading too. Whatever happens is in the outcome.

    Args:
        topic: Where to; it has to exist.
        source: Chunks of keys and values.
        kafka: How to reach Kafka.
        settings: How to send.
        progress: Called often with how many events are acknowledged.
        interrupt: Asked after each chunk.
    """
    producer = BulkProducer(kafka, settings)
    stopped: str | None = None
    began_s = time.monotonic()
    try:
        for chunk in source:
            producer.send(topic, chunk)
            progress(producer.acknowledged)
            if interrupt.count:
                stopped = INTERRUPTED
                break
    except EventstreamError as error:
        stopped = str(error)
    deadline_s = time.monotonic() + settings.delivery_timeout_s + 1
    while producer.flush(ANSWER_POLL_S) and not interrupt.is_final:
        progress(producer.acknowledged)
        if time.monotonic() > deadline_s:
            break
    progress(producer.acknowledged)
    return Outcome.of(producer, began_s, time.monotonic(), stopped)
