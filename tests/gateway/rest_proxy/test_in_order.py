"""Reports leave in the order of their records."""

from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.rest_proxy.in_order import InOrder


@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_reports_are_taken_in_order_and_as_soon_as_those_before_are_there(order, looks):
    reports = InOrder()
    numbers = [reports.announce() for _ in order]
    assert numbers == sorted(numbers)
    taken = []
    put = set()
    for number, look in zip(order, looks, strict=True):
        reports.put(number, b"%d" % number)
        put.add(number)
        if look:
            taken += reports.take()
            ready = next((n for n in range(len(order)) if n not in put), len(order))
            assert taken == [b"%d" % n for n in range(ready)]
            assert reports.waiting == len(order) - ready
    taken += reports.take()
    assert taken == [b"%d" % n for n in range(len(order))]
    assert reports.waiting == 0


def test_numbers_go_on_after_reports_were_taken():
    reports = InOrder()
    reports.put(reports.announce(), b"a")
    assert reports.take() == [b"a"]
    later = reports.announce()
    reports.put(later, b"b")
    assert (later, reports.take()) == (1, [b"b"])
