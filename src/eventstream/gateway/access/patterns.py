"""Which topics a caller may use, as patterns; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATTERN = re.compile(r"[a-zA-Z0-9._-]{1,249}|[a-zA-Z0-9._-]{0,248}\*")
_INTERNAL = "__"
REMEMBERED = 1024
"""The most names that are remembered beside the patterns they match."""


def is_pattern(text: str) -> bool:
    """Whether a text is a topic's name, or the beginning of names with a `*` behind it."""
    return _PATTERN.fullmatch(text) is not None


class Topics:
    """The topics that some patterns allow.

    `*` at a pattern's end stands for any characters, none included. It does not reach Kafka's
    internal topics, whose names begin with `__`: these need a pattern that begins so too.

    Args:
        patterns: Names, or beginnings of names with a `*`.

    Attributes:
        allowed: Names known to be allowed; a name that is not here is to be asked for. A set, so
            that the usual question costs one look-up.

    Raises:
        ValueError: One of them is no pattern.
    """

    __slots__ = ("_names", "_prefixes", "allowed")

    def __init__(self, patterns: Iterable[str]) -> None:
        names, prefixes = set(), set()
        for pattern in patterns:
            if not is_pattern(pattern):
                raise ValueError(f"{pattern!r} is no pattern")
            if pattern.endswith("*"):
                prefixes.add(pattern[:-1])
            else:
                names.add(pattern)
        self._names = frozenset(names)
        self._prefixes = tuple(sorted(prefixes))
        self.allowed = names

    def allow(self, topic: str) -> bool:
        """Whether the topic is allowed; if so it is among `allowed` from now on."""
        if topic not in self.allowed:
            if not self._match(topic):
                return False
            if len(self.allowed) >= len(self._names) + REMEMBERED:
                self.allowed = set(self._names)
            self.allowed.add(topic)
        return True

    def _match(self, topic: str) -> bool:
        internal = topic.startswith(_INTERNAL)
        return any(
            topic.startswith(prefix) and (not internal or prefix.startswith(_INTERNAL))
            for prefix in self._prefixes
        )
