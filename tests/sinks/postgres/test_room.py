"""How many connections there may be."""

from eventstream.sinks.postgres.room import GROW_S, Room


def entered(room, now=0.0):
    """How many get in."""
    count = 0
    while count < 1000 and room.enter(now):
        count += 1
    return count


def test_nothing_bounds_what_is_not_bounded():
    assert entered(Room(None)) == 1000


def test_no_more_than_the_bound_get_in():
    room = Room(3)
    assert entered(room) == 3
    assert entered(room, GROW_S) == 0
    room.leave()
    assert entered(room) == 1


def test_a_quarter_leaves_where_there_are_no_more():
    room = Room(None)
    for _ in range(40):
        room.enter(0.0)
    room.shrink(40, 0.0)
    assert room.most == 30
    while room.is_overfull:
        room.leave()
    assert room.open == 30


def test_one_more_is_tried_from_time_to_time_up_to_the_bound():
    room = Room(6)
    assert entered(room) == 6
    room.shrink(6, 0.0)
    room.leave()
    room.leave()
    assert entered(room, GROW_S / 2) == 0
    assert entered(room, GROW_S) == 1
    assert entered(room, GROW_S * 2) == 1
    assert entered(room, GROW_S * 9) == 0


def test_the_more_there_may_be_the_more_are_tried():
    room = Room(None)
    room.shrink(100, 0.0)
    assert entered(room) == 75
    assert entered(room, GROW_S) == 9


def test_the_last_one_never_leaves():
    room = Room(None)
    room.enter(0.0)
    room.shrink(1, 0.0)
    assert not room.is_overfull
