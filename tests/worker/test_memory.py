"""How much memory a worker takes for large values, measured from outside."""

import contextlib

import psutil
import pytest
from confluent_kafka import Producer

from waiting import wait_until

pytestmark = pytest.mark.kafka

VALUE = 10_000_000
COUNT = 60
LANES = 64
MOST_IN_FLIGHT = 60_000_000


@pytest.fixture
def topic(make_topic):
    return make_topic(4, {"max.message.bytes": "11000000"})


def publish_large(kafka, topic):
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "message.max.bytes": 11_000_000,
            "enable.idempotence": True,
        }
    )
    for number in range(COUNT):
        producer.produce(topic, b"x" * VALUE, b"key-%d" % (number % LANES))
        producer.poll(0)
    assert producer.flush(60) == 0


def test_large_values_in_many_lanes_take_what_the_bound_says(kafka, topic, processes):
    publish_large(kafka, topic)
    worker = processes.start(
        f"--max-in-flight-bytes={MOST_IN_FLIGHT}", HANDLER_PAUSE_S="0.1", CONCURRENCY=str(LANES)
    )
    worker.wait_for("worker ready")
    process = psutil.Process(worker.pid)
    sizes = [process.memory_info().rss]

    def are_handled():
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(process.memory_info().rss)
        return len(processes.journal.ended()) == COUNT

    wait_until(are_handled, 60, "all are handled")
    assert set(processes.journal.ended().values()) == {1}
    grown = max(sizes) - sizes[0]
    print(f"{COUNT * VALUE / 1e6:,.0f} MB handled, {grown / 1e6:,.0f} MB more memory at the most")
    assert grown < 2.5 * MOST_IN_FLIGHT, "less than a quarter of what went through"
