"""Compatible is only what is proved: no value of the old schema is refused by the new one."""

from __future__ import annotations

import os
import random

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schema_pairs import UNIVERSE, pairs, value_from

from eventstream.errors import InvalidSchema
from eventstream.gateway.schemas.compatibility import gap_between
from eventstream.gateway.schemas.documents import Document


def read(schema) -> Document:
    try:
        return Document(msgspec.json.encode(schema))
    except InvalidSchema:
        assume(False)
        raise


@settings(
    max_examples=int(os.environ.get("SCHEMA_PAIRS", "300")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(pair=pairs(), seed=st.integers(0, 2**32))
def test_a_schema_called_compatible_refuses_nothing_that_the_one_before_accepts(pair, seed):
    old, new = map(read, pair)
    if gap_between(old, new) is not None:
        return
    chance = random.Random(seed)
    for value in [*UNIVERSE, *(value_from(chance, 3) for _ in range(100))]:
        if old.validator.is_valid(value):
            assert new.validator.is_valid(value), value
