"""Where the requests of these tests go."""

from typing import NamedTuple


class To(NamedTuple):
    topic: str = "orders"
    partition: int = -1
