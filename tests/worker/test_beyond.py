import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.worker import beyond

OFFSETS = st.sets(st.integers(100, 400), min_size=1).map(sorted)


@given(OFFSETS, st.integers(1, 300))
def test_what_is_finished_beyond_a_position_is_read_back(unfinished, more):
    received = unfinished[-1] + more
    finished = beyond.finished_between(unfinished[0], unfinished, received)
    offsets = [offset for each in finished for offset in each]
    assert offsets == sorted(set(range(unfinished[0], received)) - set(unfinished))
    text, is_whole = beyond.encode(unfinished[0], finished)
    assert is_whole
    assert beyond.decode(unfinished[0], text) == finished


def test_nothing_finished_beyond_needs_no_text():
    assert beyond.encode(7, beyond.finished_between(7, [7, 8, 9], 10)) == ("", True)


@pytest.mark.parametrize("share", [0.01, 0.06, 0.5])
def test_a_text_never_outgrows_what_kafka_keeps_and_tells_of_the_first(share):
    chance = random.Random(3)
    unfinished = [offset for offset in range(200_000) if not offset or chance.random() < share]
    finished = beyond.finished_between(0, unfinished, 200_000)
    text, is_whole = beyond.encode(0, finished)
    assert len(text) <= beyond.MOST_BYTES
    told = beyond.decode(0, text)
    assert told == finished[: len(told)]
    offsets = sum(map(len, finished)) if len(finished) < 4000 else 200_000 - len(unfinished)
    assert is_whole == (sum(map(len, told)) == offsets)
    assert len(text) > beyond.MOST_BYTES * 0.8 or is_whole


@pytest.mark.parametrize("text", ["", "checkpoint=9", "eventstream-2:AAAA", "NONE"])
def test_the_text_of_others_tells_nothing(text):
    assert beyond.decode(7, text) == []


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x4b\x06\x00"])
def test_a_damaged_text_is_refused(data):
    text = base64.b64encode(data).decode()
    with pytest.raises(ValueError, match=r"not what was written|shorter|middle"):
        beyond.decode(7, f"eventstream-1:{text}")
    with pytest.raises(ValueError, match="not what was written"):
        beyond.decode(7, f"eventstream-1:{text}!")
