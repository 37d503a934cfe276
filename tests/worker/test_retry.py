import pytest

from eventstream.backoff import Backoff
from eventstream.errors import InvalidEvent, InvalidSetting, Permanent, Transient
from eventstream.worker.retry import Retry

STEADY = Backoff(first_s=1, cap_s=8, jitter=0)


@pytest.mark.parametrize("error", [ValueError(), Transient("later"), TimeoutError()])
def test_delays_double_until_the_last_attempt(error):
    retry = Retry(attempts=6, backoff=STEADY)
    delays = [retry.delay_s(error, attempt, 0, 0.5) for attempt in range(1, 7)]
    assert delays == [1, 2, 4, 8, 8, None]


def test_without_a_limit_there_is_always_another_attempt():
    assert Retry(attempts=None, backoff=STEADY).delay_s(ValueError(), 10**9, 10**9, 0) == 8


def test_chance_spreads_delays():
    retry = Retry(backoff=Backoff(first_s=1, jitter=0.5))
    assert [retry.delay_s(ValueError(), 1, 0, chance) for chance in (0, 0.5, 1)] == [1, 0.75, 0.5]


@pytest.mark.parametrize("error", [Permanent("no"), InvalidEvent("no"), KeyError("no")])
def test_what_another_attempt_does_not_mend_has_none(error):
    assert Retry(permanent=(LookupError,)).delay_s(error, 1, 0, 0) is None


def test_a_permanent_kind_may_have_transient_children():
    retry = Retry(permanent=(OSError,), transient=(ConnectionError,), backoff=STEADY)
    assert retry.delay_s(ConnectionResetError(), 1, 0, 0) == 1
    assert retry.delay_s(FileNotFoundError(), 1, 0, 0) is None


def test_no_attempt_begins_after_the_deadline():
    retry = Retry(attempts=None, deadline_s=10, backoff=STEADY)
    assert retry.delay_s(ValueError(), 3, 6, 0) == 4
    assert retry.delay_s(ValueError(), 3, 6.1, 0) is None


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"attempts": 0}, "attempts is 0; the least is 1"),
        ({"deadline_s": 0}, "deadline_s is 0; it must be above 0"),
    ],
)
def test_impossible_limits_are_refused(limits, sentence):
    with pytest.raises(InvalidSetting, match=sentence):
        Retry(**limits)
