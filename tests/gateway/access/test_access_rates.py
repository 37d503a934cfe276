"""A caller's rate, and what he is told of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.access.rates import Bucket, Rate

RATES = st.builds(
    Rate,
    st.floats(0.01, 1e5, allow_nan=False),
    st.integers(1, 1000).map(float),
)
STEPS = st.lists(
    st.tuples(st.floats(0, 5, allow_nan=False), st.integers(1, 50)), min_size=1, max_size=60
)


@given(RATES, STEPS, st.floats(0, 1e6))
def test_no_more_is_let_in_than_burst_rate_and_one_request(rate, steps, start_s):
    bucket = Bucket(rate)
    now_s, taken = start_s, []
    for pause_s, events in steps:
        now_s += pause_s
        if bucket.take(events, now_s):
            taken.append((now_s, events))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            let_in = sum(events for _, events in taken[first:last])
            time_s = taken[last][0] - taken[first][0]
            assert let_in <= rate.burst + rate.events_per_s * time_s + 1e-3


@given(RATES, STEPS)
def test_who_comes_back_when_told_to_is_let_in(rate, steps):
    bucket = Bucket(rate)
    now_s = 0.0
    for pause_s, events in steps:
        now_s += pause_s
        if not bucket.take(events, now_s):
            now_s += bucket.retry_after_s
            assert bucket.take(1, now_s)


@given(RATES, st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_refused(rate, events):
    bucket = Bucket(rate)
    for number in range(events):
        assert bucket.take(1, 1000.0 + number * 1.000001 / rate.events_per_s)


def test_a_burst_is_let_in_whole_and_no_more():
    bucket = Bucket(Rate(10, 5))
    assert [bucket.take(1, 7.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(1, 7.1)
    assert not bucket.take(1, 7.1)


def test_a_request_larger_than_the_burst_is_let_in_and_worked_off():
    bucket = Bucket(Rate(10, 5))
    assert bucket.take(105, 0.0)
    assert not bucket.take(1, 9.9)
    assert bucket.take(1, 10.1)


def test_events_counted_later_are_charged():
    bucket = Bucket(Rate(10, 5))
    assert bucket.take(1, 0.0)
    bucket.charge(24)
    assert not bucket.take(1, 2.0)
    assert bucket.take(1, 2.1)


def test_a_refusal_does_not_cost():
    bucket = Bucket(Rate(1, 1))
    assert bucket.take(1, 0.0)
    for _ in range(1000):
        assert not bucket.take(1, 0.5)
    assert bucket.take(1, 1.0)


@given(RATES, st.integers(1, 64))
def test_the_shares_of_all_processes_are_the_rate(rate, processes):
    share = rate.share(processes)
    assert share.events_per_s * processes == pytest.approx(rate.events_per_s)
    assert share.burst * processes == pytest.approx(max(processes, rate.burst))


@given(RATES, STEPS)
def test_the_fields_are_structured_and_agree(rate, steps):
    bucket = Bucket(rate)
    for pause_s, events in steps:
        bucket.take(events, pause_s)
    fields = dict(bucket.fields())
    policy = re.fullmatch(rb'"events";q=(\d+);w=(\d+);qu="events"', fields[b"ratelimit-policy"])
    now = re.fullmatch(rb'"events";r=(\d+);t=(\d+)', fields[b"ratelimit"])
    quota, window_s = int(policy[1]), int(policy[2])
    assert window_s >= 1
    assert quota == max(1, int(rate.events_per_s * window_s))
    assert int(now[1]) <= rate.burst
    assert int(now[2]) <= bucket.retry_after_s
