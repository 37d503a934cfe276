"""What the streams of a process count."""

from __future__ import annotations

from collections import Counter


class TailingCounters:
    """Plain numbers, owned by the event loop.

    Attributes:
        clients: Streams that are open, or being opened.
        events: Events sent.
        ended: Streams that ended, by reason.
    """

    __slots__ = ("clients", "ended", "events")

    def __init__(self) -> None:
        self.clients = 0
        self.events = 0
        self.ended: Counter[str] = Counter()
