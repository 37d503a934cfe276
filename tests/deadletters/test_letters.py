import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.deadletters.letters import (
    HEADER_BYTES,
    Failure,
    Letter,
    headers_of,
    letter_of,
)
from eventstream.events import Event

TEXTS = st.text(max_size=50)
EVENTS = st.builds(
    Event,
    topic=st.text("abc.-_", min_size=1, max_size=9),
    value=st.none() | st.binary(max_size=20),
    key=st.none() | st.binary(max_size=20),
    headers=st.lists(st.tuples(TEXTS, st.none() | st.binary(max_size=9)), max_size=3).map(tuple),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    timestamp_ms=st.integers(0, 2**63 - 1),
)
FAILURES = st.none() | st.builds(
    Failure, error=TEXTS, message=TEXTS, stack=TEXTS, attempts=st.integers(1, 10**6)
)


def record_of(event, group, failure):
    return Event("letters", event.value, event.key, headers_of(event, group, failure), 0, 7, 9)


def as_tuple(letter):
    event = letter.event
    fields = tuple(getattr(event, name) for name in event.__struct_fields__)
    return letter.group, fields, letter.failure


@given(EVENTS, TEXTS, FAILURES)
def test_a_letter_tells_the_event_as_it_was_and_what_happened(event, group, failure):
    letter = letter_of(record_of(event, group, failure))
    assert as_tuple(letter) == as_tuple(Letter(group, event, failure))
    assert letter.place == (event.partition, event.offset)


@given(EVENTS, TEXTS, FAILURES)
def test_a_letter_of_a_letter_tells_of_the_last_failure_only(event, group, failure):
    first = letter_of(record_of(event, group, failure))
    again = Failure("again", "", "", 1)
    second = letter_of(record_of(first.event, "others", again))
    assert as_tuple(second) == as_tuple(Letter("others", event, again))


def test_headers_are_those_that_spring_reads():
    event = Event("orders", b"v", b"k", (("trace", b"1"),), 3, 258, 1000)
    headers = headers_of(event, "shop", Failure("a.B", "no", "at line 1", 2))
    assert headers == (
        ("trace", b"1"),
        ("kafka_dlt-original-topic", b"orders"),
        ("kafka_dlt-original-partition", b"\0\0\0\3"),
        ("kafka_dlt-original-offset", b"\0\0\0\0\0\0\1\2"),
        ("kafka_dlt-original-timestamp", b"\0\0\0\0\0\0\3\xe8"),
        ("kafka_dlt-original-consumer-group", b"shop"),
        ("kafka_dlt-exception-fqcn", b"a.B"),
        ("kafka_dlt-exception-message", b"no"),
        ("kafka_dlt-exception-stacktrace", b"at line 1"),
        ("eventstream-attempts", b"2"),
    )


def test_a_failure_is_told_within_bounds():
    def fail(depth):
        if depth:
            fail(depth - 1)
        raise ValueError("ü" * 10_000)

    with pytest.raises(ValueError, match="ü") as caught:
        fail(300)
    failure = Failure.of(caught.value, 4)
    assert failure.error == "builtins.ValueError"
    assert failure.message == "ü" * 512
    assert failure.stack.endswith("ü\n")
    headers = headers_of(Event("t" * 249, b"", None, (), 0, 0, 0), "g" * 249, failure)
    assert sum(len(name) + len(value) for name, value in headers) < HEADER_BYTES


def test_a_record_that_is_no_letter_is_named():
    with pytest.raises(ValueError, match=r"letters/0/7.*no header kafka_dlt-original-topic"):
        letter_of(Event("letters", b"", None, (), 0, 7, 9))
