import asyncio
import statistics

import pytest
from test_slots import Working
from workers import until

from eventstream.errors import InvalidSetting
from eventstream.worker.adaptive import PROBE_EVERY, AdaptiveLimit
from eventstream.worker.subscription import Batch, Subscription


def run(limit, rounds, takes_s):
    """Have as many calls at once as allowed; `takes_s` says how long one takes among so many.

    Returns the median of the limit in the second half of the rounds.
    """
    seen = []
    for _ in range(rounds):
        running = limit.limit
        seen.append(running)
        for begun in [limit.begin() for _ in range(running)]:
            limit.end(begun, takes_s(running))
    return statistics.median(seen[rounds // 2 :])


def database(callers, call_s=0.005):
    """How long a call takes where so many callers are served at once, and the others queue."""
    return lambda running: call_s * max(1.0, running / callers)


def test_nothing_in_the_way_lets_the_limit_rise_to_the_most():
    limit = AdaptiveLimit(64)
    assert limit.limit == 8
    assert run(limit, 200, lambda _: 0.005) == 64


@pytest.mark.parametrize("callers", [4, 20, 100])
def test_the_limit_settles_little_above_what_is_served_at_once(callers):
    assert callers * 0.7 <= run(AdaptiveLimit(1000), 2000, database(callers)) <= callers * 2.5


def test_the_limit_falls_when_what_is_called_becomes_slow_and_rises_again():
    limit = AdaptiveLimit(200)
    before = run(limit, 500, database(100))
    assert run(limit, 500, database(10)) < before / 3
    assert run(limit, 1000, database(100)) > before / 2


def test_calls_that_are_few_do_not_raise_it():
    limit = AdaptiveLimit(64)
    for _ in range(1000):
        limit.end(limit.begin(), 0.005)
    assert limit.limit <= 8


def test_the_limit_stays_within_its_bounds_whatever_calls_take():
    limit = AdaptiveLimit(16)
    for number in range(100 * PROBE_EVERY):
        run(limit, 10, lambda _, number=number: (number % 7) * (number % 3))
        assert 1 <= limit.limit <= 16


def test_no_more_handlers_run_than_the_limit_allows_and_all_events_are_handled():
    async def main():
        running, most = 0, []

        async def handle(_event):
            nonlocal running
            running += 1
            most.append(running)
            await asyncio.sleep(0.001 * running)  # what it calls serves one at a time
            running -= 1

        keys = [b"key-%d" % number for number in range(2000)]
        async with Working(handle, *keys, concurrency=128, adaptive=True) as working:
            await until(lambda: working.handling.handled == len(keys), "all are handled")
            assert working.position == len(keys)
        assert most[0] == 1
        assert max(most) < 40, "128 were allowed, and were of no use"

    asyncio.run(main())


def test_batches_have_no_adaptive_concurrency():
    with pytest.raises(InvalidSetting, match="adaptive"):
        Subscription("t", print, 4, "key", batch=Batch(4, 0.1, 1), adaptive=True)
