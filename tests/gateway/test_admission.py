"""Room, and when there will be some."""

from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.admission import Admission
from eventstream.gateway.problems import Problem

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 99)), max_size=40)


@given(STEPS)
def test_a_request_is_let_in_exactly_while_both_bounds_hold(steps):
    admission, inside = Admission(20, 300), []
    for comes, events, size in steps:
        if comes:
            admission.enter(events, size)
            inside.append((events, size))
        elif inside:
            admission.leave(*inside.pop())
        there = sum(events for events, _ in inside) < 20 and sum(size for _, size in inside) < 300
        assert (admission.refusal() is None) == there


def retry_after_s(in_flight, drained_per_s, seconds=30):
    admission = Admission(1, 10**9)
    admission.enter(in_flight + drained_per_s * seconds, 0)
    for second in range(seconds + 1):
        admission.tick(100.0 + second)
        if second < seconds:
            admission.leave(drained_per_s, 0)
    return admission.refusal().retry_after_s


def test_a_client_is_told_when_what_waits_now_will_be_out():
    assert retry_after_s(in_flight=20_000, drained_per_s=5_000) == 5  # rounded up
    assert retry_after_s(in_flight=100, drained_per_s=5_000) == 1
    assert retry_after_s(in_flight=10**7, drained_per_s=1) == 60


def test_where_nothing_leaves_nobody_knows():
    assert retry_after_s(in_flight=10, drained_per_s=0) == 5


def test_a_new_rate_is_soon_believed():
    admission = Admission(1, 10**9)
    admission.enter(10**6, 0)
    for second in range(30):
        admission.tick(float(second))
        admission.leave(1000 if second < 10 else 5000, 0)
    assert 4900 < admission.drained_per_s <= 5000


def test_a_closed_door_says_why():
    admission, why = Admission(1, 1), Problem(503, "kafka-unavailable", "Kafka is gone.")
    admission.closed = why
    assert admission.refusal() is why
