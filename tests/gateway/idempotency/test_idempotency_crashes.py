"""A process is killed at each step of a keyed request; another one gets the retry."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from keyed_publisher import SHORT, STEPS, keyed, make_answer, publisher

from eventstream.gateway.idempotency.flow import REPLAYED
from eventstream.gateway.idempotency.postgres import PostgresStore
from eventstream.gateway.problems import Rejected
from records import read_records

pytestmark = pytest.mark.kafka

PROGRAM = Path(__file__).with_name("keyed_publisher.py")
DEADLINE_S = 30


async def insist(flow, request, sender):
    """Retry as a client does, while the first request counts as under way."""
    deadline = time.monotonic() + DEADLINE_S
    conflicts = 0
    while True:
        try:
            return await flow.publish(request, sender, make_answer), conflicts
        except Rejected as rejected:
            if rejected.problem.status != 409 or time.monotonic() > deadline:
                raise
            conflicts += 1
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_step_leaves_one_event_and_one_answer(
    step, kafka, topic, postgres_database
):
    command = [sys.executable, PROGRAM, kafka.bootstrap_servers, topic, postgres_database, step]
    began = time.monotonic()
    paths = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    died = subprocess.run(command, check=False, capture_output=True, timeout=60, env=paths)
    assert died.returncode == -9, died.stderr.decode()

    async def story():
        async with (
            PostgresStore(postgres_database, 3600) as store,
            publisher(kafka.bootstrap_servers, topic, store) as (flow, sender),
        ):
            first, conflicts = await insist(flow, keyed(topic), sender)
            took_s = time.monotonic() - began
            second, _ = await insist(flow, keyed(topic), sender)
            return first, second, conflicts, took_s, sender.sent

    first, second, conflicts, took_s, sent = asyncio.run(story())
    (record,) = read_records(kafka, topic)
    assert first.body == second.body == make_answer_of(record)
    assert REPLAYED in second.fields
    was_written = step not in {"before the reservation", "after the reservation"}
    assert sent == (0 if was_written else 1)
    assert (REPLAYED in first.fields) == was_written
    if step in {STEPS[0], STEPS[-1]}:
        assert conflicts == 0
    else:  # the dead process's reservation was respected, or had ended when it was asked for
        assert conflicts > 0 or took_s >= SHORT.total_s


def make_answer_of(record):
    return b'{"topic":"t","partition":%d,"offset":%d}' % (record.partition(), record.offset())
