"""Ids, frames, pages and the ring, driven by properties."""

import base64
import json
import random
import re
from itertools import pairwise

import pytest
from event_source import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from eventstream.events import Event
from eventstream.gateway.problems import Rejected
from eventstream.gateway.tailing import frames, gaps, ids
from eventstream.gateway.tailing.ids import EventId
from eventstream.gateway.tailing.pages import Page, pages_of
from eventstream.gateway.tailing.positions import furthest, moved, reaches
from eventstream.gateway.tailing.ring import Ring
from eventstream.gateway.tailing.wishes import wish_of
from eventstream.log.places import Extent
from eventstream.log.start import Start

TAG = "Ab3_-xyZ"
offsets = st.integers(0, ids.MAX_OFFSET)
positions = st.lists(offsets, min_size=1, max_size=12).map(tuple)
texts = st.text(max_size=20)
values = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), texts),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode()),
)
events = st.builds(
    Event,
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True),
    value=st.builds(
        lambda value, end: value and value.replace(b"\n", end),
        values,
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
    ),
    key=st.none() | st.binary(max_size=10) | texts.map(str.encode),
    headers=st.lists(st.tuples(texts, st.none() | st.binary(max_size=10)), max_size=3).map(tuple),
    partition=st.integers(0, 4),
    offset=st.integers(0, 2**62),
    timestamp_ms=st.integers(0, 2**52),
)


@given(positions)
def test_an_id_says_the_positions_again(where):
    assert ids.parse(ids.encode(EventId(TAG, where)).decode()) == (TAG, where)


def test_the_largest_id_is_read_and_a_larger_one_is_not():
    largest = EventId(TAG, (ids.MAX_OFFSET,) * ids.MAX_PARTITIONS)
    text = ids.encode(largest).decode()
    assert ids.parse(text) == largest
    for beyond in (text + ",0", text[:-1] + "8"):
        with pytest.raises(Rejected):
            ids.parse(beyond)


@given(st.text(alphabet=st.sampled_from("Aa0159_-:,. é٣"), max_size=30))
def test_any_other_text_is_no_id(text):
    if re.fullmatch(r"[Aa0159_-]{8}:[0159]+(,[0159]+)*", text):
        assert ids.parse(text).tag == text[:8]
    else:
        with pytest.raises(Rejected) as refused:
            ids.parse(text)
        assert refused.value.problem.status == 400


@given(positions, st.integers(0, 14), offsets)
def test_what_stands_around_a_position_makes_the_id_with_it(where, partition, offset):
    head, tail = ids.around(EventId(TAG, where), partition)
    assert head + b"%d" % offset + tail == ids.encode(EventId(TAG, moved(where, partition, offset)))


@given(positions, positions)
def test_the_furthest_of_two_positions_reaches_both(one, other):
    far = furthest(one, other)
    assert reaches(far, one)
    assert reaches(far, other)
    assert not reaches(one, far) or furthest(one, far) == far
    assert reaches(one, other) == (furthest(one, other) == one + (0,) * (len(other) - len(one)))


def unwrapped(entry, name):
    encoded = entry.get(f"{name}_base64")
    return entry[name] if encoded is None else base64.b64decode(encoded)


@given(st.lists(events, min_size=1, max_size=5), st.data())
def test_an_interpreter_of_the_standard_reads_what_was_written(written, data):
    stream = b"".join(
        b"id: %d\ndata: %b\n\n" % (number, frames.data_of(event))
        for number, event in enumerate(written)
    )
    reader = Interpreter()
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:cut])
        stream = stream[cut:]
    assert [each.last_event_id for each in reader.dispatched] == [
        str(number) for number in range(len(written))
    ]
    for event, each in zip(written, reader.dispatched, strict=True):
        entry = each.json
        assert (entry["topic"], *each.place) == (event.topic, event.partition, event.offset)
        assert entry["timestamp_ms"] == event.timestamp_ms
        key = unwrapped(entry, "key")
        assert (key.encode() if isinstance(key, str) else key) == event.key
        assert ("value" in entry) != ("value_base64" in entry)
        if "value_base64" in entry:
            assert unwrapped(entry, "value") == event.value
        elif event.value is None:
            assert entry["value"] is None
        else:
            assert entry["value"] == json.loads(event.value)
        for header, (name, value) in zip(entry["headers"], event.headers, strict=True):
            found = unwrapped(header, "value")
            assert (found.encode() if isinstance(found, str) else found) == value
            assert header["name"] == name


def test_notices_and_heartbeats_are_read_as_such():
    reader = Interpreter()
    reader.feed(frames.hello(1234) + frames.heartbeat(b"A:1") + frames.heartbeat(b"A:2"))
    assert (reader.retry_ms, reader.last_event_id, reader.comments) == (1234, "A:2", 2)
    assert not reader.dispatched
    reader.feed(frames.notice("gap", b"A:3", {"detail": "a\nb"}))
    reader.feed(frames.notice("dropped", None, {"detail": "c"}))
    gap, dropped = reader.dispatched
    assert (gap.type, gap.json, gap.last_event_id) == ("gap", {"detail": "a\nb"}, "A:3")
    assert (dropped.type, dropped.last_event_id) == ("dropped", "A:3")


class Process:
    """A ring that reads partitions of a log in an order of its own."""

    def __init__(self, log, starts, most_bytes):
        self.ring = Ring(starts, most_bytes)
        self._log = log

    def read(self, partition, count):
        done = self.ring.head[partition]
        fresh = [event for event in self._log[partition] if event.offset >= done][:count]
        for page in pages_of(fresh, self.ring.head, TAG):
            self.ring.append(page)


def random_log(rng):
    """Three partitions' events; offsets have gaps, as compaction leaves them."""
    log = []
    for partition in range(3):
        offset, events = 0, []
        for _ in range(rng.randrange(40)):
            offset += rng.choice([1, 1, 3])
            key = rng.choice([b"a", b"b"])
            events.append(Event("t", b"1", key, partition=partition, offset=offset))
        log.append(events)
    return log


@given(st.integers(0, 2**64))
def test_a_reader_that_wanders_between_processes_misses_and_repeats_nothing(seed):
    """Whatever the order each process reads in, and wherever the reader is cut off."""
    rng = random.Random(seed)
    log = random_log(rng)
    key = rng.choice([None, b"a"])
    starts = [tuple(rng.randrange(6) for _ in log) for _ in range(2)]
    processes = [Process(log, each, rng.choice([2000, 10**6])) for each in starts]
    first = furthest(*starts)
    reader = Interpreter(last_event_id=ids.encode(EventId(TAG, first)).decode())
    for _ in range(30):
        process = rng.choice(processes)
        for _ in range(rng.randrange(4)):
            process.read(rng.randrange(3), rng.randrange(1, 5))
        follow(process.ring, reader, key, rng)
    seen = [each.place for each in reader.dispatched]
    assert len(seen) == len(set(seen))
    last = ids.parse(reader.last_event_id).positions
    assert set(seen) == {
        (event.partition, event.offset)
        for events in log
        for event in events
        if first[event.partition] <= event.offset < last[event.partition]
        and key in {None, event.key}
    }
    for partition in range(3):
        mine = [offset for number, offset in seen if number == partition]
        assert mine == sorted(mine)


def follow(ring, reader, key, rng):
    """Read pages as a stream does, until it is cut off in the middle of a write, or not."""
    where = ids.parse(reader.last_event_id).positions
    place = ring.place(where)
    if place is None:
        return
    sent = b""
    while (page := ring.page(place)) is not None and rng.random() < 0.8:
        blob, _ = page.for_all(key) if page.before == where else page.for_one(where, key)
        where = furthest(where, page.after)
        sent += blob
        place += 1
    whole = rng.random() < 0.5
    if whole:
        sent += frames.heartbeat(ids.encode(EventId(TAG, where)))
    connection = Interpreter(last_event_id=reader.last_event_id)
    connection._id = reader.last_event_id
    connection.feed(sent if whole else sent[: rng.randrange(len(sent) + 1)])
    reader.dispatched += connection.dispatched
    reader.last_event_id = connection.last_event_id


def test_a_gap_in_the_ring_is_told_once_to_those_it_concerns():
    event = Event("t", b"1", partition=1, offset=5)
    ring = Ring((3, 5), 10**6)
    for page in pages_of([event], ring.head, TAG):
        ring.append(page)
    blob = frames.notice("gap", ids.encode(EventId(TAG, (9, 6))), {})
    ring.append(Page(TAG, 0, ring.head, (9, 6), blob))
    for where, told in [((3, 5), 1), ((4, 7), 1), ((9, 5), 0), ((12, 6), 0)]:
        reader, at = Interpreter(), where
        for number in range(ring.place(where), ring.next):
            page = ring.page(number)
            part = page.for_all(None) if page.before == at else page.for_one(at, None)
            reader.feed(part[0])
            at = furthest(at, page.after)
        gap = [each for each in reader.dispatched if each.type == "gap"]
        assert len(gap) == told
        assert all(reaches(ids.parse(each.last_event_id).positions, where) for each in gap)


def test_a_ring_keeps_no_more_bytes_than_it_may_but_always_its_newest_page():
    ring = Ring((0,), 1000)
    for offset in range(50):
        (page,) = pages_of([Event("t", b"1", partition=0, offset=offset)], ring.head, TAG)
        ring.append(page)
        kept = [ring.page(number) for number in range(ring.first, ring.next)]
        assert sum(len(each.blob) for each in kept) <= 1000
    assert ring.first > 0
    assert ring.place((0,)) is None
    assert ring.place((50,)) == ring.next
    (huge,) = pages_of([Event("t", b'"%b"' % (b"x" * 5000), partition=0, offset=50)], (50,), TAG)
    ring.append(huge)
    assert ring.page(ring.first) is huge


def test_large_runs_are_cut_into_pages_that_follow_each_other():
    run = [Event("t", b'"%b"' % (b"x" * 9000), partition=1, offset=n * 2) for n in range(40)]
    pages = list(pages_of(run, (7, 0, 9), TAG))
    assert len(pages) > 4
    assert pages[0].before == (7, 0, 9)
    assert pages[-1].after == (7, 79, 9)
    assert all(one.after == other.before for one, other in pairwise(pages))
    assert max(len(page.blob) for page in pages) < 80_000


@given(positions, st.data())
def test_resumed_positions_lie_in_the_log_and_a_gap_is_told_where_they_did_not(where, data):
    extents = {}
    for partition in range(data.draw(st.integers(len(where), len(where) + 2))):
        oldest = data.draw(st.integers(0, 100))
        extents[partition] = Extent(oldest, data.draw(st.integers(oldest, 200)))
    found, missed = gaps.resumed(where, extents)
    assert len(found) == len(extents)
    assert all(extents[each].oldest <= at <= extents[each].end for each, at in enumerate(found))
    for partition, at in enumerate(where):
        told = [gap for gap in missed if gap.partition == partition]
        assert (found[partition] == at) == (not told)
    assert all(gap.partition < len(where) for gap in missed)


NOW_MS = 1_800_000_000_000


def wish(query=b"", **headers):
    fields = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return wish_of("t", query, fields, NOW_MS)


@pytest.mark.parametrize(
    ("query", "start"),
    [
        (b"", Start("latest")),
        (b"from=latest", Start("latest")),
        (b"from=earliest", Start("earliest")),
        (b"from=1700000000000", Start("time", 1_700_000_000_000)),
        (b"from=0", Start("time", 0)),
        (b"from=15m", Start("time", NOW_MS - 900_000)),
        (b"from=1970-01-01T00:00:01Z", Start("time", 1000)),
        (b"from=1970-01-01T01:00:01+01:00", Start("time", 1000)),
        (b"from=1970-01-01T01%3A00%3A01%2B01%3A00", Start("time", 1000)),
        (b"from=Ab3_-xyZ:1,2", EventId("Ab3_-xyZ", (1, 2))),
        (b"other=1&from=earliest&key=a", Start("earliest")),
    ],
)
def test_a_start_is_read_from_the_query(query, start):
    assert wish(query).start == start


def test_the_last_id_wins_over_the_query():
    assert wish(b"from=earliest", last_event_id=b"Ab3_-xyZ:7").start == EventId(TAG, (7,))
    assert wish(b"from=earliest", last_event_id=b"").start == Start("earliest")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_request_is_a_wish_or_refused_in_one_sentence(query, last_id):
    for target in (query, b"from=" + query, b"key=" + query):
        problem = problem_of(target, last_id)
        assert problem is None or (problem.status == 400 and problem.detail.endswith("."))


def problem_of(query, last_id):
    try:
        wish(query, last_event_id=last_id)
    except Rejected as rejected:
        return rejected.problem
    return None
