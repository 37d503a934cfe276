"""A keyed request on a real Kafka, in the calling process, which may be told where to die."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from functools import partial

from eventstream.gateway.answers import Answer, receipt_answer
from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.idempotency.flow import Idempotency, Keyed
from eventstream.gateway.idempotency.keys import fingerprint, scoped_id
from eventstream.gateway.idempotency.postgres import PostgresStore
from eventstream.gateway.idempotency.settlement import Lease
from eventstream.gateway.idempotency.topic_log import TopicLog
from eventstream.gateway.problems import Problem, problem_of
from eventstream.log.ends import Ends
from eventstream.log.faults import translate
from eventstream.log.producer import make_producer
from eventstream.settings import KafkaSettings, ProducerSettings
from waiting import wait_until

SHORT = Lease(2.0, 3.0)
STEPS = (
    "before the reservation",
    "after the reservation",
    "after sending",
    "after the acknowledgement",
    "after the answer is kept",
)


def keyed(topic, key=b"k-1", values=(b"v",)):
    return Keyed(
        scoped_id("", topic, "publish", key),
        key,
        fingerprint(repr(values).encode()),
        topic,
        [value if isinstance(value, Problem) else Record(value) for value in values],
    )


def make_answer(outcomes):
    """Answer with every place, so that two answers are alike only if all places are."""
    if len(outcomes) == 1 and isinstance(outcomes[0], Placed):
        return receipt_answer("t", outcomes[0].partition, outcomes[0].offset)
    return Answer(200, (), json.dumps(outcomes).encode())


class Sender:
    """Hands records to a producer and waits for what becomes of them."""

    def __init__(self, kafka, topic):
        loop = asyncio.get_running_loop()
        self.producer = make_producer(
            kafka,
            ProducerSettings(linger_ms=0),
            loop,
            queue_events=10_000,
            queue_bytes=10_000_000,
        )
        self.topic = topic
        self.sent = 0

    async def __call__(self, records):
        loop = asyncio.get_running_loop()
        waiting = []
        for record in records:
            done = loop.create_future()
            self.producer.send(
                self.topic, record.value, record.key, self.delivered(done), record.headers
            )
            waiting.append(done)
        self.sent += len(waiting)
        return await asyncio.gather(*waiting)

    def delivered(self, done):
        def delivered(error, partition, offset, timestamp_ms):
            if error is None:
                done.set_result(Placed(partition, offset, timestamp_ms))
            else:
                done.set_result(problem_of(translate(error, self.topic, was_sent=True)))

        return delivered


@contextlib.asynccontextmanager
async def publisher(bootstrap_servers, topic, store, partitions=1, lease=SHORT):
    """Give the flow on this store, and what it sends with."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
    log = TopicLog(kafka, {topic: partitions}, time.monotonic)
    sender = Sender(kafka, topic)
    try:
        yield Idempotency(store, log, lease, time.monotonic), sender
    finally:
        log.close()
        await sender.producer.drain(10)
        sender.producer.close()


class Dying:
    """A store, and a sender, that kill their process at one step."""

    def __init__(self, inner, step):
        self.inner = inner
        self.step = step
        self.fields = inner.fields

    def pass_by(self, step):
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def reserve(self, ask):
        self.pass_by("before the reservation")
        verdict = await self.inner.reserve(ask)
        self.pass_by("after the reservation")
        return verdict

    async def complete(self, key_id, token, answer):
        self.pass_by("after the acknowledgement")
        done = await self.inner.complete(key_id, token, answer)
        self.pass_by("after the answer is kept")
        return done

    def is_written(self, topic, ends):
        return ends.of(topic, 1)[0] > 0

    def sending(self, sender, kafka):
        async def send(records):
            outcomes = asyncio.ensure_future(sender(records))
            if self.step == "after sending":
                written = partial(self.is_written, sender.topic, Ends(kafka))
                await asyncio.to_thread(wait_until, written, 20, "the record is in the log")
                self.pass_by("after sending")
            return await outcomes

        return send


async def main(bootstrap_servers, topic, dsn, step):
    async with (
        PostgresStore(dsn, 3600) as store,
        publisher(bootstrap_servers, topic, store) as (flow, sender),
    ):
        dying = Dying(store, step)
        flow._store = dying
        kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
        await flow.publish(keyed(topic), dying.sending(sender, kafka), make_answer)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
