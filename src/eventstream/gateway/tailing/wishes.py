"""What a request for a stream says; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from eventstream.errors import InvalidSetting
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.tailing import ids
from eventstream.log.start import Start, parse_start

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.gateway.tailing.ids import EventId

MAX_LIMIT = 2**53 - 1
"""The largest whole number that every JSON parser reads as it is (RFC 8259, section 6)."""
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_MILLISECONDS = re.compile(r"\d{1,15}", re.ASCII)
_NUMBER = re.compile(rb"[0-9]{1,16}").fullmatch
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Wish(NamedTuple):
    """What a client wants to read.

    Attributes:
        topic: The topic.
        start: Where from: a place by name or time, or the id of the last event it has.
        key: Only events with this key; `None` for all.
        limit: After how many events the stream ends; `None` lets it go on.
    """

    topic: str
    start: Start | EventId
    key: bytes | None
    limit: int | None = None


def wish_of(topic: str, query: bytes, headers: Iterable[tuple[bytes, bytes]], now_ms: int) -> Wish:
    """Read a request's target and headers.

    Args:
        topic: The topic's name out of the path, decoded.
        query: The query without its question mark, still percent-encoded.
        headers: Names in lower case, and values.
        now_ms: Now, in milliseconds since the epoch.

    Raises:
        Rejected: The topic's name, the start, the key, the limit or the last event's id is not
            acceptable.
    """
    _check(topic)
    last_ids = {value for name, value in headers if name == b"last-event-id" and value}
    key = _one(b"key", query)
    start = _one(b"from", query)
    if len(last_ids) > 1:
        raise _invalid("event-id", "The request has more than one Last-Event-ID; send one.")
    return Wish(
        topic,
        ids.parse(last_ids.pop().decode("latin-1")) if last_ids else _start(start, now_ms),
        None if key is None else unquote_to_bytes(key.replace(b"+", b" ")),
        _limit(_one(b"limit", query)),
    )


def _check(topic: str) -> None:
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise _invalid(
            "topic",
            f"{topic[:260]!r} cannot be a topic's name: it is 1 to 249 letters, digits, dots,"
            " underscores or hyphens.",
        )
    if topic.startswith("__"):
        raise Rejected(
            Problem(
                403,
                "internal-topic",
                f"Topic {topic!r} is internal to Kafka; read a topic of your own.",
            )
        )


def _one(name: bytes, query: bytes) -> bytes | None:
    """Find a parameter's value, still percent-encoded."""
    pairs = (pair.partition(b"=") for pair in query.split(b"&"))
    values = {value for each, _, value in pairs if each == name}
    if len(values) > 1:
        raise _invalid(name.decode(), f"The query has more than one {name.decode()}=; give one.")
    value = values.pop() if values else None
    if value is not None and _PERCENT.search(value):
        raise _invalid(
            name.decode(),
            f"In {name.decode()}= of the query is a % without two hexadecimal digits after it;"
            " percent-encode it.",
        )
    return value


def _limit(value: bytes | None) -> int | None:
    if value is None:
        return None
    number = unquote_to_bytes(value)
    if not _NUMBER(number) or not 0 < int(number) <= MAX_LIMIT:
        raise _invalid(
            "limit",
            f"limit={number[:80].decode('latin-1')!r} is no number of events: it is 1 to"
            f" {MAX_LIMIT}; leave it out to read on.",
        )
    return int(number)


def _start(value: bytes | None, now_ms: int) -> Start | EventId:
    if value is None:
        return Start("latest")
    # A plus sign stands for itself: it begins the offset of a time.
    text = unquote_to_bytes(value).decode("utf-8", "replace")
    if ids.is_id(text):
        return ids.parse(text)
    if _MILLISECONDS.fullmatch(text):
        return Start("time", int(text))
    try:
        return parse_start(text[:80], now_ms)
    except InvalidSetting:
        raise _invalid(
            "from",
            f"from={text[:80]!r} is no place to start: say latest, earliest, a time"
            " (2026-01-31T12:00:00Z, or in milliseconds since 1970), how long ago (90s, 15m, 2h,"
            " 7d), or the id of the last event you have.",
        ) from None


def _invalid(what: str, detail: str) -> Rejected:
    return Rejected(Problem(400, f"invalid-{what}", detail))
