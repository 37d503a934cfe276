"""JSON as Confluent's serializer writes it; pure.

Confluent reads a record's JSON into a tree and writes it again, without white space
(`NoSchemaRecordSerializer.java`, Jackson's `JsonNode`). A key's bytes decide its partition, so keys
come out here byte for byte as there. In values a number keeps the digits it was sent with, where
Jackson would round it to a double.
"""

from __future__ import annotations

import re
from math import isinf

import msgspec

_integer = re.compile(rb"-?[1-9][0-9]*|0").fullmatch
_control = re.compile(rb"\\\\|\\u00[01][0-9a-f]")
_encode = msgspec.json.encode
_PLAIN = range(-2, 8)


def _as_sent(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


def _as_java(number: str) -> msgspec.Raw:
    return msgspec.Raw(java_double(number).encode())


_decode_value = msgspec.json.Decoder(float_hook=_as_sent).decode
_decode_key = msgspec.json.Decoder(float_hook=_as_java).decode


def value(text: bytes) -> bytes:
    """Write a value: without white space, escapes resolved, numbers as they were sent.

    Args:
        text: A valid JSON text.
    """
    if b"\\" in text:
        return _uppercase(_encode(_decode_value(text)))
    if len(text.split(None, 1)) == 1:  # no white space at all: the quickest way to find out
        return text
    return msgspec.json.format(text, indent=-1)


def key(text: bytes) -> bytes:
    """Write a key, byte for byte as Jackson does.

    Args:
        text: A valid JSON text.
    """
    if (text[:1] == b'"' and b"\\" not in text) or _integer(text):
        return text
    return _uppercase(_encode(_decode_key(text)))


def java_double(number: str) -> str:
    """Write a number as Java's `Double.toString` does; one beyond a double stays as it is."""
    double = float(number)
    if isinf(double):
        return number
    mantissa, _, power = repr(abs(double)).partition("e")
    whole, _, beyond = mantissa.partition(".")
    digits = (whole + beyond).lstrip("0")
    point = len(whole) + int(power or 0) - len(whole + beyond) + len(digits)
    digits = digits.rstrip("0")
    minus = "-" if number.startswith("-") else ""
    if not double:
        return minus + "0.0"
    if point not in _PLAIN:
        return f"{minus}{digits[0]}.{digits[1:] or '0'}E{point - 1}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    return f"{minus}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"


def _uppercase(text: bytes) -> bytes:
    """Write the escapes of control characters with capital digits, as Jackson does."""
    if b"\\u" not in text:
        return text
    return _control.sub(
        lambda found: found[0] if found[0] == rb"\\" else rb"\u00" + found[0][4:].upper(), text
    )
