"""Which topics patterns allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.access.patterns import REMEMBERED, Topics, is_pattern

LETTERS = "ab._-"
NAMES = st.text(LETTERS, min_size=1, max_size=6)
PATTERNS = st.builds(
    lambda text, star: text + star if text or star else "*",
    st.text(LETTERS, max_size=4),
    st.sampled_from(["", "*"]),
)


@given(st.lists(PATTERNS, max_size=5), st.lists(NAMES, max_size=20))
def test_a_topic_is_allowed_by_its_name_or_by_a_beginning_of_it(patterns, names):
    topics = Topics(patterns)
    for name in names * 2:
        expected = any(
            name == pattern
            or (
                pattern.endswith("*")
                and name.startswith(pattern[:-1])
                and not (name.startswith("__") and not pattern.startswith("__"))
            )
            for pattern in patterns
        )
        assert topics.allow(name) is expected
        assert (name in topics.allowed) is expected


def test_a_star_does_not_reach_kafkas_internal_topics():
    assert not Topics(["*"]).allow("__consumer_offsets")
    assert Topics(["__consumer*"]).allow("__consumer_offsets")


def test_nothing_is_allowed_where_nothing_is_said():
    assert not Topics([]).allow("orders")


@pytest.mark.parametrize("text", ["", "a*b", "**", "or ders", "örders", "a" * 250, "a\n"])
def test_what_cannot_be_a_topics_name_is_no_pattern(text):
    assert not is_pattern(text)
    with pytest.raises(ValueError, match="is no pattern"):
        Topics([text])


def test_remembered_names_are_bounded_and_named_ones_stay():
    topics = Topics(["fixed", "many.*"])
    for number in range(3 * REMEMBERED):
        assert topics.allow(f"many.{number}")
        assert len(topics.allowed) <= REMEMBERED + 1
    assert "fixed" in topics.allowed
