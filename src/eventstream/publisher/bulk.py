"""Bulk publishing: from a source to an acknowledged log, and the report of it."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import msgspec
from hdrh.histogram import HdrHistogram

from eventstream.errors import EventstreamError, TopicNotFound
from eventstream.log.admin import Admin
from eventstream.log.bulk import BulkProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eventstream.publisher.sources import Pair
    from eventstream.settings import KafkaSettings, ProducerSettings

ANSWER_POLL_S = 0.1
_MICROSECONDS = 1_000_000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events; times in seconds, latencies in milliseconds."""

    topic: str
    sent: int
    acknowledged: int
    failed: int
    unknown: int
    seconds: float
    events_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failures: dict[str, int]
    stopped: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the source was read to its end and every event is acknowledged."""
        return self.stopped is None and self.sent == self.acknowledged


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

    def _note(self, *_: object) -> None:
        self.count += 1


def publish(
    topic: str,
    source: Iterable[list[Pair]],
    kafka: KafkaSettings,
    settings: ProducerSettings,
    progress: Callable[[BulkProducer], Any],
) -> Report:
    """Publish a source's events and wait for their acknowledgements.

    Ctrl-C ends the reading, and waits for what was sent; a second one ends the waiting. An event
    the source cannot give ends the reading too. Whatever happens is in the report.

    Args:
        topic: Where to; it has to exist.
        source: Chunks of keys and values.
        kafka: How to reach Kafka.
        settings: How to send.
        progress: Called often with the producer and its counts.

    Raises:
        TopicNotFound: The topic does not exist; nothing was sent.
        KafkaUnavailable: Kafka did not answer; nothing was sent.
    """
    if topic not in Admin(kafka).topics():
        raise TopicNotFound(f"Topic {topic!r} does not exist; create it, or check the name.")
    producer = BulkProducer(kafka, settings)
    stopped: str | None = None
    started = time.perf_counter()
    with Interrupt() as interrupt:
        try:
            for chunk in source:
                producer.send(topic, chunk)
                progress(producer)
                if interrupt.count:
                    stopped = "interrupted"
                    break
        except EventstreamError as error:
            stopped = str(error)
        deadline = time.perf_counter() + settings.delivery_timeout_s + 1
        while producer.flush(ANSWER_POLL_S) and interrupt.count < 2:  # noqa: PLR2004
            progress(producer)
            if time.perf_counter() > deadline:
                break
        progress(producer)
    return _report(topic, producer, time.perf_counter() - started, stopped)


def _report(topic: str, producer: BulkProducer, seconds: float, stopped: str | None) -> Report:
    histogram = HdrHistogram(1, 3600 * _MICROSECONDS, 3)
    for latency_s in producer.latencies_s:
        histogram.record_value(int(latency_s * _MICROSECONDS))

    def at(percentile: float) -> float:
        return round(float(histogram.get_value_at_percentile(percentile)) / 1000, 3)

    return Report(
        topic=topic,
        sent=producer.sent,
        acknowledged=producer.acknowledged,
        failed=producer.failures.total(),
        unknown=producer.unknown + producer.unanswered,
        seconds=round(seconds, 3),
        events_per_second=round(producer.acknowledged / seconds, 1),
        p50_ms=at(50),
        p99_ms=at(99),
        p999_ms=at(99.9),
        failures=dict(producer.failures),
        stopped=stopped,
    )
