"""JSON Pointer (RFC 6901): one value out of a JSON text, which stays text."""

from __future__ import annotations

import re
from typing import Any

import msgspec

Pointer = tuple[str, ...]
"""A pointer's reference tokens, unescaped (RFC 6901, section 4)."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}").fullmatch
_BAD_ESCAPE = re.compile(r"~(?![01])").search
_members: Any = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items: Any = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def parse(text: str) -> Pointer | None:
    """Read a pointer; `None` when `text` is not one (RFC 6901, section 3)."""
    if not text:
        return ()
    if not text.startswith("/") or _BAD_ESCAPE(text):
        return None
    return tuple(
        token.replace("~1", "/").replace("~0", "~") for token in text.removeprefix("/").split("/")
    )


def write(pointer: Pointer) -> str:
    """Write a pointer as RFC 6901 has it."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in pointer)


def find(pointer: Pointer, document: bytes) -> bytes | None:
    """Return the JSON text of the value that a pointer names, or `None` when there is none.

    Args:
        pointer: Which value.
        document: A valid JSON text.
    """
    try:
        return _walk(pointer, document.strip())
    except msgspec.DecodeError:  # an escape beyond Unicode: JSON allows it, a name cannot be it
        return None


def _walk(pointer: Pointer, here: bytes) -> bytes | None:
    for token in pointer:
        inner: msgspec.Raw | None = None
        if here.startswith(b"{"):
            inner = _members(here).get(token)
        elif here.startswith(b"[") and _INDEX(token):
            items = _items(here)
            if int(token) < len(items):
                inner = items[int(token)]
        if inner is None:
            return None
        here = bytes(inner)
    return here


def scalar(text: bytes) -> bytes | None:
    """Return a string's characters in UTF-8, or a number's or boolean's own text.

    `None` stands for what is no such value: null, an object, an array, or a string that UTF-8
    cannot carry.
    """
    if text.startswith(b'"'):
        try:
            return _text(text).encode()
        except msgspec.DecodeError:
            return None
    return None if text.startswith((b"{", b"[", b"n")) else text
