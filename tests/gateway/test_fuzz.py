"""A short run of what `make fuzz` does at length, with other inputs each time."""

import logging
import random

import pytest
from fuzzing import fuzz

INPUTS = 3000


@pytest.fixture(autouse=True)
def logs_come_back():
    yield
    logging.disable(logging.NOTSET)


def test_both_lanes_bear_broken_requests_and_agree_on_them():
    fuzz(random.SystemRandom().randrange(10**12), INPUTS)
