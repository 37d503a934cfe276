"""Why a stream ends; pure."""

from __future__ import annotations

from typing import NamedTuple

from eventstream.gateway.tailing import frames


class Ending(NamedTuple):
    """What a client is told when its stream ends.

    Attributes:
        event: The name of the event that tells it: `dropped` is the client's doing, `end` is not.
        reason: One word for programs and for the metrics.
        detail: One sentence for people.
    """

    event: str
    reason: str
    detail: str

    def frame(self, event_id: bytes | None) -> bytes:
        """Encode it; without an id the last one that the client received stays its position."""
        return frames.notice(self.event, event_id, {"reason": self.reason, "detail": self.detail})


SLOW = Ending(
    "dropped",
    "slow",
    "You read more slowly than others do, and fell behind further than is kept for you;"
    " connect again with the last id you have, and nothing is missed.",
)
STALLED = Ending(
    "dropped",
    "stalled",
    "You took nothing for too long; connect again with the last id you have, and nothing is"
    " missed.",
)
STOPPING = Ending(
    "end",
    "stopping",
    "This server stops; connect again with the last id you have, and nothing is missed.",
)
ENOUGH = Ending(
    "end",
    "limit",
    "You have as many events as you asked for; connect again with the last id you have to read on.",
)
FAILED = Ending("end", "failed", "This server failed; connect again with the last id you have.")


def topic_gone(topic: str) -> Ending:
    """The topic was deleted."""
    return Ending("end", "topic-gone", f"Topic {topic!r} does not exist any more.")


def topic_replaced(topic: str) -> Ending:
    """Another topic has the name now, or the log lost events."""
    return Ending(
        "end",
        "topic-replaced",
        f"Topic {topic!r} is not the one it was: it was made anew, or its log was cut; connect"
        " again to read it as it is now.",
    )


def refused(detail: str) -> Ending:
    """Kafka refuses."""
    return Ending("end", "refused", detail)
