import pytest

from eventstream.deadletters.lot import Lot, Slip
from eventstream.deadletters.marks import Mark, mark_of, marks_of
from eventstream.events import Event


def lot_of(*letters, parks=True):
    lot = Lot(parks=parks)
    for offset, key in letters:
        lot.letter(offset, key, Slip("t.deadletter", offset * 10))
    return lot


def mark(kind, *offsets):
    return Mark(kind, "g", offsets)


def test_a_key_is_parked_while_a_letter_of_it_is_outstanding():
    lot = lot_of((5, b"k"), (7, b"k"), (6, b"other"), (8, None))
    assert lot.parked == {b"k", b"other"}
    assert (len(lot), lot.newest) == (4, 8)
    lot.mark(mark("replayed", 5))
    lot.mark(mark("discarded", 6))
    assert lot.parked == {b"k"}
    lot.mark(mark("replayed", 7, 8))
    assert (lot.parked, len(lot)) == (set(), 0)
    assert all(offset in lot for offset in (5, 6, 7, 8)), "it is still known"


def test_without_parking_no_key_is_parked():
    assert lot_of((5, b"k"), parks=False).parked == set()


def test_a_letter_told_again_counts_once_and_where_it_was_told_last():
    lot = lot_of((5, b"k"))
    lot.letter(5, b"k", Slip("t.deadletter", 99))
    assert len(lot) == 1
    assert lot.slip(5) == Slip("t.deadletter", 99)
    lot.mark(mark("replayed", 5))
    lot.letter(5, b"k", Slip("t.deadletter", 100))
    assert lot.slip(5) is None
    assert lot.parked == set()


def test_a_mark_that_comes_before_its_letter_counts():
    lot = Lot(parks=True)
    lot.mark(mark("replayed", 5))
    lot.mark(mark("replay", 6))
    lot.letter(5, b"k", Slip("t.parked", 0))
    lot.letter(6, b"k", Slip("t.parked", 1))
    assert lot.wanted(b"k") == [6]
    assert lot.due == {b"k"}


def test_what_failed_is_not_wanted_until_somebody_asks_again():
    lot = lot_of((9, b"k"), (5, b"k"), (7, b"k"))
    lot.mark(mark("replay", 5, 9))
    assert (lot.wanted(b"k"), lot.unwanted(b"k")) == ([5, 9], [7])
    lot.mark(mark("failed", 5, 9))
    assert (lot.due, lot.wanted(b"k")) == (set(), [])
    lot.mark(mark("replay", 5))
    assert lot.wanted(b"k") == [5]


def test_a_request_for_letters_nobody_knows_is_no_request():
    lot = lot_of((5, b"k"))
    lot.mark(mark("replay", 4))
    assert lot.due == set()


def test_marks_are_read_back_and_cut_into_small_records():
    marks = list(marks_of("failed", "g", range(2500, 0, -1), "no"))
    assert [len(one.offsets) for one in marks] == [1000, 1000, 500]
    assert [offset for one in marks for offset in one.offsets] == list(range(1, 2501))
    record = Event("t.parked", marks[2].encode(), b"k", (("eventstream-mark", b"1"),))
    assert mark_of(record) == marks[2]


def test_a_parked_event_is_no_mark_and_a_damaged_mark_is_refused():
    assert mark_of(Event("t.parked", marks_of("replay", "g", [1]).__next__().encode())) is None
    with pytest.raises(ValueError, match="kind"):
        mark_of(Event("t.parked", b"{}", None, (("eventstream-mark", b"1"),)))
