from hypothesis import given
from hypothesis import strategies as st

from eventstream.backoff import Backoff

ATTEMPTS = st.integers(1, 10**9)
CHANCES = st.floats(0, 1)


@given(ATTEMPTS, CHANCES)
def test_a_delay_is_between_what_chance_leaves_and_the_cap(attempt, chance):
    backoff = Backoff(first_s=0.1, cap_s=30, jitter=0.5)
    assert 0.05 <= backoff.delay_s(attempt, chance) <= 30


@given(st.integers(1, 100), CHANCES)
def test_delays_never_shrink_from_attempt_to_attempt(attempt, chance):
    backoff = Backoff()
    assert backoff.delay_s(attempt, chance) <= backoff.delay_s(attempt + 1, chance)


def test_delays_double_up_to_the_cap():
    backoff = Backoff(first_s=1, cap_s=5, jitter=0)
    assert [backoff.delay_s(attempt, 0.7) for attempt in range(1, 6)] == [1, 2, 4, 5, 5]


def test_chance_shortens_a_delay_by_the_jitter_at_most():
    backoff = Backoff(first_s=1, cap_s=5, jitter=0.25)
    assert [backoff.delay_s(1, chance) for chance in (0, 0.5, 1)] == [1, 0.875, 0.75]
