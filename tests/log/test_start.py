import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.errors import InvalidSetting
from eventstream.log.start import Start, parse_start

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("earliest", Start("earliest")),
        ("latest", Start("latest")),
        ("90s", Start("time", NOW_MS - 90_000)),
        ("15m", Start("time", NOW_MS - 900_000)),
        ("2h", Start("time", NOW_MS - 7_200_000)),
        ("7d", Start("time", NOW_MS - 604_800_000)),
        ("99999d", Start("time", 0)),
        ("1970-01-01T00:00:01Z", Start("time", 1000)),
        ("1970-01-01T00:00:01", Start("time", 1000)),
        ("1970-01-01T01:00:01+01:00", Start("time", 1000)),
        ("1970-01-02", Start("time", 86_400_000)),
    ],
)
def test_a_start_is_read_as_a_person_says_it(text, start):
    assert parse_start(text, NOW_MS) == start


@given(st.text(alphabet=st.characters(exclude_categories=["Nd"])))
def test_anything_without_a_number_is_one_sentence(text):
    if text not in {"earliest", "latest"}:
        with pytest.raises(InvalidSetting, match="is no place to start"):
            parse_start(text, NOW_MS)
