"""Every metric, declared once, and what a process counts with.

On a hot path a count is an integer addition on an object that one loop owns; nothing here locks.
What a scrape sees is built from those objects when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal, NamedTuple

LATENCY_BOUNDS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5,
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of latency buckets, in seconds."""


class Metric(NamedTuple):
    """One declared metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


REQUESTS = Metric(
    "eventstream_gateway_requests_total",
    "counter",
    "Publish requests answered, by HTTP status.",
    ("status",),
)
EVENTS = Metric(
    "eventstream_gateway_events_total",
    "counter",
    "Events taken from requests: acknowledged by Kafka, rejected before it, failed in it, or"
    " unknown because no answer came in time.",
    ("outcome",),
)
EVENT_BYTES = Metric(
    "eventstream_gateway_event_bytes_total", "counter", "Bytes of values handed to Kafka."
)
PUBLISH_SECONDS = Metric(
    "eventstream_gateway_publish_seconds",
    "histogram",
    "Time from a request's last byte to Kafka's acknowledgement of its last event, in seconds.",
)
IN_FLIGHT = Metric(
    "eventstream_gateway_in_flight_events", "gauge", "Events waiting for Kafka's acknowledgement."
)
IN_FLIGHT_BYTES = Metric(
    "eventstream_gateway_in_flight_bytes", "gauge", "Bytes of those events' values and keys."
)
KEYED = Metric(
    "eventstream_gateway_keyed_requests_total",
    "counter",
    "Requests with an Idempotency-Key, by what their key was found to be: new, answered before, in"
    " progress, left behind by a process that died and taken over, of another request, or unknown"
    " since the store did not answer.",
    ("key",),
)
KEYED_UNKEPT = Metric(
    "eventstream_gateway_keyed_answers_unkept_total",
    "counter",
    "Answers of such requests that could not be kept: the store did not answer, or the key was"
    " taken over. A repeated request is answered from the topic.",
)
KEYED_FORGOTTEN = Metric(
    "eventstream_gateway_keyed_answers_forgotten_total",
    "counter",
    "Answers of such requests that the memory store dropped before their time, for want of room.",
)
CONNECTIONS = Metric("eventstream_gateway_connections", "gauge", "Open client connections.")
STREAMS = Metric("eventstream_gateway_streams", "gauge", "Open streams of events to HTTP clients.")
STREAMED_TOPICS = Metric(
    "eventstream_gateway_streamed_topics",
    "gauge",
    "Topics that are read for those streams, by one Kafka consumer each.",
)
CATCHING_UP = Metric(
    "eventstream_gateway_streams_catching_up",
    "gauge",
    "Streams that read older events with a Kafka consumer of their own, or wait for one.",
)
STREAMED = Metric(
    "eventstream_gateway_streamed_events_total", "counter", "Events sent on those streams."
)
STREAMS_ENDED = Metric(
    "eventstream_gateway_streams_ended_total",
    "counter",
    "Streams that ended, by reason: the client left, has its limit, was slow or stalled, the server"
    " stops, the topic is gone or was replaced, Kafka refused, or an error of ours.",
    ("reason",),
)
RECEIVED = Metric(
    "eventstream_worker_events_received_total",
    "counter",
    "Events taken from Kafka.",
    ("topic",),
)
HANDLED = Metric(
    "eventstream_worker_events_handled_total",
    "counter",
    "Events whose handler finished.",
    ("topic",),
)
FAILED_ATTEMPTS = Metric(
    "eventstream_worker_failed_attempts_total",
    "counter",
    "Handler calls that raised.",
    ("topic",),
)
GIVEN_UP = Metric(
    "eventstream_worker_events_given_up_total",
    "counter",
    "Events that became dead letters: their last attempt failed.",
    ("topic",),
)
HANDLER_SECONDS = Metric(
    "eventstream_worker_handler_seconds",
    "histogram",
    "Time a handler took for one attempt, in seconds.",
    ("topic",),
)
CONCURRENCY = Metric(
    "eventstream_worker_concurrency",
    "gauge",
    "Handlers that may run at once now, in one process; it changes where it is adaptive.",
    ("topic",),
)
UNCOMMITTED = Metric(
    "eventstream_worker_uncommitted_events",
    "gauge",
    "Events received and not yet committed: what a crash would repeat at most.",
)
LAG = Metric(
    "eventstream_worker_lag_events",
    "gauge",
    "Events in the partition that this group has not committed.",
    ("topic", "partition"),
)

METRICS: tuple[Metric, ...] = (
    REQUESTS,
    EVENTS,
    EVENT_BYTES,
    PUBLISH_SECONDS,
    IN_FLIGHT,
    IN_FLIGHT_BYTES,
    KEYED,
    KEYED_UNKEPT,
    KEYED_FORGOTTEN,
    CONNECTIONS,
    STREAMS,
    STREAMED_TOPICS,
    CATCHING_UP,
    STREAMED,
    STREAMS_ENDED,
    RECEIVED,
    HANDLED,
    FAILED_ATTEMPTS,
    GIVEN_UP,
    HANDLER_SECONDS,
    CONCURRENCY,
    UNCOMMITTED,
    LAG,
)
"""Every metric of ours, in the order the documentation lists them."""


class Histogram:
    """Counts by latency bucket; `counts` has one more place than `bounds`, for what is beyond."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BOUNDS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Sample(NamedTuple):
    """One value of one metric: a number, or a histogram's bucket counts and their sum."""

    metric: str
    labels: tuple[str, ...]
    value: float
    counts: tuple[int, ...] = ()


def sample(metric: Metric, value: float | Histogram, *labels: str) -> Sample:
    """Take a metric's value for a scrape."""
    if isinstance(value, Histogram):
        return Sample(metric.name, labels, value.total, tuple(value.counts))
    return Sample(metric.name, labels, value)
