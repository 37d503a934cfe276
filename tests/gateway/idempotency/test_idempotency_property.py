"""Whatever happens to attempts, in turn or side by side: each record is written once."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.answers import Answer
from eventstream.gateway.formats.contract import Placed, Record
from eventstream.gateway.idempotency.flow import REPLAYED, Idempotency, Keyed
from eventstream.gateway.idempotency.marks import read_mark
from eventstream.gateway.idempotency.memory import MemoryStore
from eventstream.gateway.idempotency.settlement import Lease
from eventstream.gateway.problems import Problem, Rejected

INVALID = Problem(400, "invalid-json", "The line is not JSON.")
UNAVAILABLE = Problem(503, "kafka-unavailable", "No broker answered.", 1)
UNKNOWN = Problem(504, "outcome-unknown", "No acknowledgement came.")
LEASE = Lease(3.0, 40.0)

fates = st.sampled_from(["written", "lost", "deaf", "unavailable"])
attempts = st.lists(
    st.tuples(
        st.sampled_from(["ends", "dies before it sends", "dies after it sent", "is refused"]),
        st.lists(fates, min_size=6, max_size=6),
        st.sampled_from([0.0, 1.0, 39.0, 41.0]),
    ),
    max_size=8,
)
requests = st.lists(st.booleans(), min_size=1, max_size=6).filter(any)


class Killed(BaseException):
    """The attempt's process is gone."""


class World:
    """A log of one partition, a store that outlives all processes, and a clock."""

    def __init__(self, is_record):
        self.time = 0.0
        self.records = []
        store = MemoryStore(1e9, 100, 10_000_000, lambda: self.time)
        self.flow = Idempotency(store, self, LEASE, lambda: self.time)
        records = [Record(b"v") if each else INVALID for each in is_record]
        self.request = Keyed(32 * b"i", b"k", 32 * b"f", "t", records)

    async def start(self, _):
        return b"%d" % len(self.records)

    async def find(self, _, start, mark):
        found = {}
        for offset in range(int(start), len(self.records)):
            read = read_mark(self.records[offset].headers[-1][1])
            if read.mark == mark:
                found.setdefault(read.number, Placed(0, offset, 0))
        return found

    def write(self, record):
        self.records.append(record)
        return Placed(0, len(self.records) - 1, 0)

    async def attempt(self, how="ends", of_each=6 * ("written",)):
        async def send(records):
            if how == "is refused":
                raise Rejected(UNAVAILABLE)
            if how == "dies before it sends":
                raise Killed
            outcomes = []
            for record, fate in zip(records, of_each, strict=False):
                placed = self.write(record) if fate in {"written", "deaf"} else None
                unknown = UNKNOWN if fate in {"lost", "deaf"} else UNAVAILABLE
                outcomes.append(placed if fate == "written" else unknown)
            if how == "dies after it sent":
                raise Killed
            return outcomes

        def answer(outcomes):
            return Answer(200, (), repr(outcomes).encode())

        try:
            return await self.flow.publish(self.request, send, answer)
        except (Rejected, Killed):
            return None

    @property
    def written(self):
        return sorted(read_mark(record.headers[-1][1]).number for record in self.records)


@given(requests, attempts)
def test_each_record_is_written_once_and_the_last_answer_stays(is_record, story):
    async def main():
        world = World(is_record)
        expected = [number for number, each in enumerate(is_record) if each]
        for how, of_each, pause_s in story:
            await world.attempt(how, of_each)
            assert set(world.written) <= set(expected)
            assert len(world.written) == len(set(world.written))
            world.time += pause_s
        world.time += LEASE.total_s
        last = await world.attempt()
        again = await world.attempt()
        assert world.written == expected
        assert again.body == last.body
        assert REPLAYED in again.fields

    asyncio.run(main())


@given(requests, st.integers(2, 10))
def test_of_attempts_side_by_side_one_writes(is_record, count):
    async def main():
        world = World(is_record)
        answers = await asyncio.gather(*(world.attempt() for _ in range(count)))
        assert len({answer.body for answer in answers if answer is not None}) == 1
        assert len(world.records) == sum(is_record)

    asyncio.run(main())
