"""Why a broker died, read from what it wrote."""

from __future__ import annotations

import re

_FULL = "No space left on device"
_ERROR = re.compile(r"^\S+ \S+ (?:ERROR|FATAL) \S+ (?P<message>.+)$")
_CAUSE = re.compile(r"^(?:Caused by: )?(?:[\w$]+\.)+[\w$]*(?:Exception|Error): (?P<message>.+)$")
_NEWS = re.compile(r"^The process has ended: (?P<how>.+)\.$")


def reason(log: str, console: str) -> str:
    """Say in a few words why a broker ended.

    Args:
        log: The broker's log of this run; may be empty.
        console: What it wrote to standard output and error; may be empty.
    """
    if _FULL in log or _FULL in console:
        return "the disk is full"
    return _last_error(log) or last_words(console) or "it left no word"


def _last_error(log: str) -> str:
    """Return the last line logged as an error, with the innermost cause of its exception."""
    message = cause = ""
    for line in log.splitlines():
        severe = _ERROR.match(line)
        if severe:
            message, cause = severe["message"], ""
        elif found := _CAUSE.match(line):
            cause = found["message"]
    said = cause if cause and cause not in message else ""
    return ": ".join(part.rstrip(". ") for part in (message, said) if part)


def ending(console: str) -> str:
    """Return how a server ended, as its guardian tells; empty where it does not."""
    found = [news["how"] for line in console.splitlines() if (news := _NEWS.match(line))]
    return found[-1] if found else ""


def last_words(console: str) -> str:
    """Return the last line a program wrote itself, or else how it ended."""
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    spoken = [line for line in lines if not _NEWS.match(line) and not line.startswith("[warning]")]
    if spoken:
        return spoken[-1].rstrip(".")
    ended = _NEWS.match(lines[-1]) if lines else None
    return ended["how"] if ended else ""
