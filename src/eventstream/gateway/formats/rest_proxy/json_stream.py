"""JSON objects one after another, taken apart as they come; pure.

The body of v3's `records` is concatenated JSON, with or without white space between (openapi.yaml,
`produceRecord`). Every byte is looked at once, wherever the portions end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

_space = re.compile(rb"[ \t\r\n]*+").match
_bracket = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+[{}\[\]]', re.DOTALL).match
_whole_strings = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL).match
_inside_string = re.compile(rb"(?:[^\"\\]++|\\.)*+", re.DOTALL).match
_QUOTE = b'"'
_OPENING = b"{["


class JsonStream:
    """Splits a body into its objects, or arrays, without reading what they contain.

    Args:
        max_value_bytes: The most bytes one of them may have.
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "_limit", "_parts", "_passed", "_size")

    def __init__(self, max_value_bytes: int) -> None:
        self._limit = max_value_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._passed = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, portion: bytes) -> Iterator[bytes]:
        """Take the next bytes of the body, however many.

        Yields:
            Each value that these bytes complete, from its first bracket to its last. They have to
            be taken before the next portion is fed.

        Raises:
            Rejected: Something other than an object or array begins, or a value is too large;
                there is no going on after that.
        """
        place = 0
        while place < len(portion):
            if not self._size:
                place = self._begin(portion, place)
            start, place = place, self._advance(portion, place)
            self._keep(portion[start:place])
            if self._size and not self._depth:
                yield self._take()
        self._passed += len(portion)

    def finish(self) -> None:
        """Say that the body is complete.

        Raises:
            Rejected: It ends within a value.
        """
        if self._size:
            raise Rejected(
                Problem(
                    400,
                    "invalid-json",
                    f"The body ends within a JSON value, {self._size} bytes after its beginning;"
                    " send it whole.",
                )
            )

    def _begin(self, portion: bytes, place: int) -> int:
        """Find the next value's first byte, or else the end of the portion."""
        found = _space(portion, place)
        start = found.end() if found else place
        if start < len(portion) and portion[start] not in _OPENING:
            raise Rejected(
                Problem(
                    400,
                    "invalid-json",
                    f"Byte {self._passed + start} of the body begins no JSON object; send objects"
                    " one after another, with nothing but white space between.",
                )
            )
        return start

    def _advance(self, portion: bytes, place: int) -> int:
        """Go to the end of the value, or else of the portion."""
        if self._in_string:
            place = self._leave_string(portion, place)
        depth = self._depth
        while found := _bracket(portion, place):
            place = found.end()
            depth += 1 if portion[place - 1] in _OPENING else -1
            if not depth:
                self._depth = 0
                return place
        self._depth = depth
        rest = _whole_strings(portion, place)
        if rest and rest.end() < len(portion):
            self._in_string = True
            self._leave_string(portion, rest.end() + 1)
        return len(portion)

    def _leave_string(self, portion: bytes, place: int) -> int:
        """Go past the end of the string that is open, or else to the end of the portion."""
        if self._escaped and place < len(portion):
            self._escaped = False
            place += 1
        found = _inside_string(portion, place)
        end = found.end() if found else place
        if portion[end : end + 1] == _QUOTE:
            self._in_string = False
            return end + 1
        self._escaped = self._escaped or end < len(portion)
        return len(portion)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise Rejected(
                Problem(
                    413,
                    "record-too-large",
                    f"A record of the body has more than {self._limit} bytes, the most it can have"
                    " here.",
                )
            )
        self._parts.append(part)

    def _take(self) -> bytes:
        value = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return value
