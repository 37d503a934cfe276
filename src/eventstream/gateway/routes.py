"""What a publish request's target and headers say, apart from its body; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from eventstream.gateway.formats import Format, format_of
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

PUBLISH = b"/publish"
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where and how a request's events go."""

    topic: str
    key: bytes | None
    format: Format


def route(
    path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]], default_topic: str
) -> Route:
    """Read a publish request's target and headers.

    Args:
        path: The request target's path, still percent-encoded; `/publish` or `/publish/{topic}`.
        query: The query without its question mark, still percent-encoded.
        headers: Names in lower case, and values.
        default_topic: The topic of `/publish`.

    Raises:
        Rejected: The topic's name or the key is not acceptable.
    """
    content_type = b""
    keys: set[bytes] = set()
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"event-key":
            keys.add(value)
    if query:
        keys |= _keys_in(query)
    return Route(_topic(path, default_topic), _key(keys), format_of(content_type))


def _topic(path: bytes, default_topic: str) -> str:
    if len(path) <= len(PUBLISH) + 1:
        return default_topic
    topic = unquote_to_bytes(path[len(PUBLISH) + 1 :]).decode("utf-8", "replace")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise Rejected(
            Problem(
                400,
                "invalid-topic",
                f"{topic[:260]!r} cannot be a topic's name: it is 1 to 249 letters, digits, dots,"
                " underscores or hyphens.",
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


def _keys_in(query: bytes) -> set[bytes]:
    keys = set()
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"key":
            if _PERCENT.search(value):
                raise Rejected(
                    Problem(
                        400,
                        "invalid-key",
                        "The key in the query has a % without two hexadecimal digits after it;"
                        " percent-encode it.",
                    )
                )
            keys.add(unquote_to_bytes(value.replace(b"+", b" ")))
    return keys


def _key(keys: set[bytes]) -> bytes | None:
    if not keys:
        return None
    if len(keys) > 1:
        raise Rejected(
            Problem(
                400,
                "invalid-key",
                "The request names more than one key; give one, in the Event-Key header or as"
                " ?key=.",
            )
        )
    key = keys.pop()
    if not key:
        raise Rejected(
            Problem(
                400,
                "invalid-key",
                "The key is empty; leave it out to publish without one.",
            )
        )
    return key
