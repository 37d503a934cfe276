"""Where reading starts, as a person says it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from eventstream.errors import InvalidSetting

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+)([smhd])")


class Start(NamedTuple):
    """The place in each partition where reading starts.

    Attributes:
        at: The oldest event, the end, or the first event of a time.
        timestamp_ms: That time, in milliseconds since the epoch.
    """

    at: Literal["earliest", "latest", "time"]
    timestamp_ms: int = 0


_BY_NAME = {"earliest": Start("earliest"), "latest": Start("latest")}


def parse_start(text: str, now_ms: int) -> Start:
    """Read `earliest`, `latest`, a duration back from now (`90s 15m 2h 7d`) or an ISO 8601 time.

    A time without an offset is UTC.

    Args:
        text: What was said.
        now_ms: Now, in milliseconds since the epoch.

    Raises:
        InvalidSetting: It is none of these.
    """
    if text in _BY_NAME:
        return _BY_NAME[text]
    if duration := _DURATION.fullmatch(text):
        return Start("time", max(0, now_ms - int(duration[1]) * _UNITS_MS[duration[2]]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSetting(
            f"{text!r} is no place to start: say earliest, latest, how long ago (90s, 15m, 2h, 7d)"
            " or a time (2026-01-31T12:00:00Z)."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Start("time", max(0, int(moment.timestamp() * 1000)))
