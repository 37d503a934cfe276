"""Workers in the test's own loop, and what they are given to do."""

import asyncio
import contextlib
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from eventstream.settings import KafkaSettings, WorkerSettings
from eventstream.worker.reach import KafkaReach
from eventstream.worker.runner import Worker

SOON_S = 20


async def until(condition, what, timeout_s=SOON_S):
    """Wait in the loop until a condition holds."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - it looks from outside
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {timeout_s} s") from None


def new_group():
    return f"group-{uuid.uuid4().hex[:8]}"


def reach(kafka, **options):
    """Settings to reach the test's Kafka; options are the client's, with _ for the dot."""
    pairs = tuple(f"{name.replace('_', '.')}={value}" for name, value in options.items())
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, kafka_option=pairs)


def make_worker(app, reached, settings):
    return Worker(app, KafkaReach(reached, settings), settings)


@contextlib.asynccontextmanager
async def working(app, kafka, group, **settings):
    """Run a worker while the body runs, stop it, and wait until it has stopped."""
    reached = settings.pop("reached", None) or reach(kafka)
    worker = make_worker(app, reached, WorkerSettings(group=group, **settings))
    running = asyncio.create_task(worker.run())
    try:
        await until(lambda: worker.ready.is_set() or running.done(), "the worker is ready")
        yield worker
    finally:
        worker.stop()
        await running
        assert (worker._bound.events, worker._bound.bytes) == (0, 0), "everything was let go"


def publish(kafka, topic, records, partition=None):
    """Write (key, value) pairs in order, keys partitioned as every producer of ours does.

    Without idempotence a batch that is tried again stands behind later ones: on a topic made a
    moment ago that happens once in a hundred times.
    """
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    for key, value in records:
        where = {} if partition is None else {"partition": partition}
        producer.produce(topic, value, key, **where)
    assert producer.flush(SOON_S) == 0


def make_anew(kafka, topic):
    """Delete a topic, and create another of its name."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(SOON_S)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SOON_S)


def committed(kafka, group, topic, partitions=1):
    """Sum of the positions that a group has committed."""
    client = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group})
    places = [TopicPartition(topic, number) for number in range(partitions)]
    found = client.committed(places, timeout=SOON_S)
    client.close()
    return sum(max(0, place.offset) for place in found)
