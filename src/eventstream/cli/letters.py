"""Letters as people and scripts see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eventstream.cli.output import shown_data

if TYPE_CHECKING:
    from eventstream.deadletters.inbox import Entry


def place(entry: Entry) -> str:
    """Name the event by its partition and offset."""
    return "{}/{}".format(*entry.letter.place)


def published(entry: Entry) -> str:
    """Say when the event was published."""
    moment = datetime.fromtimestamp(entry.letter.event.timestamp_ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def error_of(entry: Entry) -> str:
    """Say why the event is a letter."""
    failure = entry.letter.failure
    if failure is None:
        return "behind another one"
    return f"{failure.error.removeprefix('builtins.')}: {failure.message}"


def readable(data: bytes | None) -> str:
    """Show bytes as text."""
    return "-" if data is None else data.decode("utf-8", "backslashreplace")


def described(entry: Entry, *, whole: bool = False) -> dict[str, Any]:
    """Describe a letter for scripts; with its value, headers and stack if it is to be whole."""
    event, failure = entry.letter.event, entry.letter.failure
    described = {
        "topic": event.topic,
        "partition": event.partition,
        "offset": event.offset,
        "timestamp_ms": event.timestamp_ms,
        **shown_data("key", event.key),
        "group": entry.letter.group,
        "state": entry.state,
        "attempts": failure.attempts if failure else None,
        "error": failure.error if failure else None,
        "message": failure.message if failure else None,
    }
    if whole:
        described |= {
            "headers": [
                {"name": name, **shown_data("value", value)} for name, value in event.headers
            ],
            **shown_data("value", event.value, may_be_json=True),
            "stack": failure.stack if failure else None,
            "why": entry.why,
        }
    return described
