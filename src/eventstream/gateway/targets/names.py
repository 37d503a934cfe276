"""What the targets' readers share: topic names and percent-encoding; pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from eventstream.gateway.problems import Problem, Rejected

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_SHOWN = 260
_bad_percent = re.compile(rb"%(?![0-9A-Fa-f]{2})").search


def topic_of(segment: bytes) -> str:
    """Read a topic's name from a segment of a path, still percent-encoded.

    Raises:
        Rejected: It cannot be a topic's name, or the topic is Kafka's own.
    """
    topic = unquote_to_bytes(segment).decode("utf-8", "replace")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise Rejected(
            Problem(
                400,
                "invalid-topic",
                f"{topic[:_SHOWN]!r} cannot be a topic's name: it is 1 to 249 letters, digits,"
                " dots, underscores or hyphens.",
            )
        )
    if topic.startswith("__"):
        raise Rejected(
            Problem(
                403,
                "internal-topic",
                f"Topic {topic!r} is internal to Kafka; publish to a topic of your own.",
            )
        )
    return topic


def query_value(value: bytes) -> bytes | None:
    """Decode a value of a query (WHATWG URL, section 5.1); `None` when a `%` is not an escape."""
    if _bad_percent(value):
        return None
    return unquote_to_bytes(value.replace(b"+", b" "))
