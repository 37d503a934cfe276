"""Times as clients write them; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MILLISECONDS = re.compile(rb"[0-9]{1,15}").fullmatch
_RFC_3339 = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(text: bytes) -> int | None:
    """Read a time: milliseconds since the epoch, or a date and time of RFC 3339.

    Returns:
        Milliseconds since the epoch, at least 1 (Kafka's client takes 0 for now); `None` when
        `text` is neither, or before the epoch.
    """
    if _MILLISECONDS(text):
        return int(text) or None
    match = _RFC_3339(text)
    if match is None:
        return None
    day, time, fraction, zone = match.groups()
    micro = (fraction or b".")[:7].ljust(7, b"0")
    shift = b"+00:00" if zone in {b"Z", b"z"} else zone
    try:
        moment = datetime.fromisoformat((day + b"T" + time + micro + shift).decode())
    except ValueError:
        return None
    passed = moment - _EPOCH
    whole = passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000
    return whole if whole > 0 else None
