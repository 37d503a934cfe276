"""What a handler may ask for beside its event."""

from __future__ import annotations

import msgspec


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """How it comes that the handler is called.

    Attributes:
        attempt: Which attempt this is, from 1; a new owner of the partition counts anew.
        is_replay: Whether a letter is handled again.
        group: The consumer group.
    """

    attempt: int = 1
    is_replay: bool = False
    group: str = ""
