"""A record's key and value as a request embeds them: JSON, text, or bytes in base64; pure.

Each function takes a valid JSON text and gives the record's bytes; `null` is no bytes at all, so a
null value is a tombstone in every format (`NoSchemaRecordSerializer.java`).
"""

from __future__ import annotations

import binascii

import msgspec

from eventstream.gateway.formats.rest_proxy import jackson

NULL = msgspec.Raw(b"null")
_null = b"null"
_text_of = msgspec.json.Decoder(str).decode
_bytes_of = binascii.a2b_base64
_SHOWN = 100


class Unusable(ValueError):
    """The data is not what its type says; the text goes on after the name of what is meant."""


def json_key(text: bytes) -> bytes | None:
    """Take a key of any JSON type."""
    return None if text == _null else jackson.key(text)


def json_value(text: bytes) -> bytes | None:
    """Take a value of any JSON type."""
    return None if text == _null else jackson.value(text)


def string(text: bytes) -> bytes | None:
    """Take a string, as UTF-8.

    Raises:
        Unusable: It is not a string.
    """
    return None if text == _null else _content(text, "a string")


def binary(text: bytes) -> bytes | None:
    """Take bytes in base64 (RFC 4648, section 4); the padding may be missing, as with Guava's.

    Raises:
        Unusable: It is not a string, or not base64.
    """
    if text == _null:
        return None
    content = _content(text, "a base64 string")
    try:
        return _bytes_of(content, strict_mode=True)
    except binascii.Error:
        bare = content.rstrip(b"=")
    try:
        return _bytes_of(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error:
        raise Unusable(f"is not valid base64: {_shown(text)}") from None


def _content(text: bytes, kind: str) -> bytes:
    if text[:1] != b'"':
        raise Unusable(f"is not {kind}: {_shown(text)}")
    return _text_of(text).encode() if b"\\" in text else text[1:-1]


def _shown(text: bytes) -> str:
    shown = text[:_SHOWN].decode("utf-8", "replace")
    return shown if len(text) <= _SHOWN else shown + "..."
