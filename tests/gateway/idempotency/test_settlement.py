"""What becomes of a reservation."""

from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.idempotency.settlement import Lease, Settlement, retry_after_s, settle
from eventstream.gateway.problems import Problem

PLACED = Placed(0, 1, 2)


def problem(status):
    return Problem(status, "a-problem", "It failed.")


outcomes = st.lists(
    st.sampled_from([PLACED, *map(problem, (400, 404, 413, 422, 429, 502, 503, 504))]), max_size=6
)


@given(outcomes)
def test_a_key_is_free_again_only_if_nothing_is_in_the_log_for_sure(all_of_them):
    statuses = [200 if each is PLACED else each.status for each in all_of_them]
    settled = settle(all_of_them)
    assert (settled is Settlement.KEEP) == any(each in {502, 504} for each in statuses)
    if settled is Settlement.RELEASE:
        assert 200 not in statuses
    if settled is Settlement.COMPLETE:
        assert 200 in statuses
        assert not {429, 502, 503, 504}.intersection(statuses)
    if settled is Settlement.GIVE_BACK:
        assert {200} < set(statuses)
        assert {429, 503}.intersection(statuses)


def test_a_lease_outlives_the_last_delivery_its_owner_may_begin():
    lease = Lease.for_delivery(30)
    assert lease.total_s > lease.send_within_s + 30


@given(st.floats(0, 1e6), st.floats(-10, 1e6))
def test_a_retry_is_told_to_come_back_after_a_second_or_more_and_no_later_than_the_lease(age, left):
    after = retry_after_s(age, left)
    assert after >= 1
    assert after <= max(1, left + 1)
