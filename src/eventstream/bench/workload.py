"""What is sent in measurements: numbered events with keys that follow Zipf's law; pure."""

from __future__ import annotations

import random
from itertools import accumulate

KEYS = 10_000
EXPONENT = 1.0


def zipf_keys(count: int, keys: int = KEYS, exponent: float = EXPONENT, seed: int = 7) -> list[int]:
    """Draw keys: the share of key n is in proportion to 1 / (n + 1) ** exponent."""
    weights = list(accumulate(1 / (rank + 1) ** exponent for rank in range(keys)))
    return random.Random(seed).choices(range(keys), cum_weights=weights, k=count)


def value_of(number: int, intended_ns: int, size: int) -> bytes:
    """Write one event's value: its number and when it was meant to be sent, as JSON."""
    value = b'{"n":%d,"t":%d,"text":"' % (number, intended_ns)
    return value + b"x" * (size - len(value) - 2) + b'"}'


def read_value(value: bytes) -> tuple[int, int]:
    """Read an event's number and the time it was meant to be sent, in nanoseconds."""
    comma = value.index(b",")
    return int(value[5:comma]), int(value[comma + 5 : value.index(b",", comma + 1)])
