"""Times as clients write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.times import milliseconds

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


MOMENTS = st.builds(datetime.fromtimestamp, st.integers(10**5, 250 * 10**9), ZONES)


@given(MOMENTS, st.integers(0, 999_999))
def test_an_rfc_3339_time_is_read_to_the_millisecond(moment, microsecond):
    moment = moment.replace(microsecond=microsecond)
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert milliseconds(moment.isoformat().encode()) == expected


@given(st.integers(1, 10**15 - 1))
def test_milliseconds_are_taken_as_they_are(number):
    assert milliseconds(b"%d" % number) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"2026-01-31T12:00:00Z", 1769860800000),
        (b"2026-01-31t12:00:00.1239999z", 1769860800123),
        (b"2026-01-31T12:00:00+01:00", 1769857200000),
        (b"2026-01-31 12:00:00Z", None),
        (b"2026-01-31T12:00:00", None),
        (b"2026-02-30T12:00:00Z", None),
        (b"2026-01-31T24:00:00Z", None),
        (b"1969-12-31T23:59:59Z", None),
        (b"0", None),
        (b"-5", None),
        (b"1e3", None),
        (b"", None),
        (b"1" * 16, None),
        ("\N{FULLWIDTH DIGIT ONE}".encode(), None),
    ],
)
def test_anything_else_is_no_time(text, expected):
    assert milliseconds(text) == expected
