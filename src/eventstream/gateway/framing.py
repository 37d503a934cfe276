"""What HTTP/1.1 asks of a request's head beyond what the parser checks; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MALFORMED = Problem(
    400, "malformed-request", "The request is not HTTP/1.1 as RFC 9112 has it; nothing was taken."
)
_NOT_UNDERSTOOD = Problem(
    501,
    "unknown-transfer-coding",
    "The only Transfer-Encoding read here is chunked; name a body's compression in"
    " Content-Encoding.",
)
_NOT_MET = Problem(417, "unmet-expectation", "The only expectation met here is 100-continue.")


def refusal(version: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Problem | None:
    """Say why a request is refused for its head, or `None`.

    - HTTP/1.1, or 1.0; the parser takes a line without a version too, as HTTP/0.9 had it.
    - One Host, no more and no less (RFC 9112, section 3.2); no fragment in the target (3.2.1).
    - No transfer coding but chunked (RFC 9112, section 6.1), and none at all in HTTP/1.0.
    - No expectation but 100-continue (RFC 9110, section 10.1.1).

    Args:
        version: As parsed.
        target: The request target.
        headers: Names in lower case, and values.
    """
    if version not in {"1.1", "1.0"}:
        return MALFORMED
    hosts = 0
    problem = None
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            if version != "1.1":
                return MALFORMED
            if value.strip().lower() != b"chunked":
                problem = _NOT_UNDERSTOOD
        elif name == b"expect" and value.strip().lower() != b"100-continue":
            problem = problem or _NOT_MET
    if (hosts != 1 and (hosts or version == "1.1")) or b"#" in target:
        return MALFORMED
    return problem
