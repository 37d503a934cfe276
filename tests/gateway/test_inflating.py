"""Compressed bodies and their bound."""

import gzip
import tracemalloc

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.problems import Rejected
from eventstream.gateway.publishing.inflating import inflate

COMPRESS = {b"gzip": gzip.compress, b"zstd": zstd.compress}
ENCODINGS = st.sampled_from(sorted(COMPRESS))


@given(st.lists(st.binary(max_size=99), min_size=1, max_size=3), ENCODINGS)
def test_members_one_after_another_are_one_body(parts, encoding):
    body = b"".join(map(COMPRESS[encoding], parts))
    assert inflate(body, encoding, 300) == b"".join(parts)


@given(st.integers(0, 200), st.integers(0, 200), ENCODINGS)
def test_the_bound_is_exact(size, limit, encoding):
    body = COMPRESS[encoding](b"x" * size)
    if size <= limit:
        assert len(inflate(body, encoding, limit)) == size
    else:
        with pytest.raises(Rejected) as refused:
            inflate(body, encoding, limit)
        assert refused.value.problem.status == 413


@given(st.binary(max_size=60), ENCODINGS, st.integers(1, 20))
def test_what_is_cut_off_is_refused(data, encoding, cut):
    body = COMPRESS[encoding](data)[:-cut]
    if body:
        with pytest.raises(Rejected, match="is not the"):
            inflate(body, encoding, 1000)


@given(st.binary(min_size=1, max_size=60), ENCODINGS)
def test_what_is_not_compressed_at_all_is_refused(data, encoding):
    with pytest.raises(Rejected, match="is not the"):
        inflate(b"!" + data, encoding, 1000)


@pytest.mark.parametrize("encoding", sorted(COMPRESS))
def test_a_bomb_costs_no_more_memory_than_the_bound(encoding):
    bomb = COMPRESS[encoding](bytes(200_000_000))
    tracemalloc.start()
    with pytest.raises(Rejected, match="inflates to more than 1000000 bytes"):
        inflate(bomb, encoding, 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
