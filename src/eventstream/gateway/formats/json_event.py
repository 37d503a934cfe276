"""One JSON event (RFC 8259): the body is the value, byte for byte."""

from __future__ import annotations

import msgspec

from eventstream.gateway.problems import Problem, Rejected

_validate = msgspec.json.Decoder(msgspec.Raw).decode


def check(text: bytes) -> str | None:
    """Say what keeps `text` from being one JSON value in UTF-8, or `None`."""
    try:
        _validate(text)
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    except RecursionError:
        return "it is nested too deeply"
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        return reason[:1].lower() + reason[1:]
    return None


def decode(body: bytes) -> bytes:
    """Take the value out of the body.

    Raises:
        Rejected: The body is not JSON.
    """
    reason = check(body)
    if reason is not None:
        raise Rejected(
            Problem(
                400,
                "invalid-json",
                f"The body is not JSON: {reason}.",
            )
        )
    return body
