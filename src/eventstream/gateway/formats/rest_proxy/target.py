"""What a format needs to know of a request's target; pure."""

from __future__ import annotations

from typing import Protocol


class Target(Protocol):
    """Where a request's records go; every `Route` is one."""

    @property
    def topic(self) -> str:
        """The topic of all of them."""

    @property
    def partition(self) -> int:
        """The partition in the path; -1 when there is none."""
