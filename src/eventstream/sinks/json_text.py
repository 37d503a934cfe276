"""Whether a text is JSON; pure."""

from __future__ import annotations

import msgspec

_raw = msgspec.json.Decoder(msgspec.Raw).decode


def why_not_json(text: bytes) -> str | None:
    """Say what keeps a text from being JSON, or `None`."""
    try:
        text.decode()
        _raw(text)
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    except RecursionError:
        return "it is nested too deeply"
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        return reason[:1].lower() + reason[1:]
    return None
