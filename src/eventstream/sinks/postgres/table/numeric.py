"""JSON numbers as PostgreSQL's `numeric`, digit for digit; pure.

Source: PostgreSQL, src/backend/utils/adt/numeric.c, `numeric_recv`: digits of base 10,000, the
weight of the first one, a sign, and how many decimal digits are shown after the point.
"""

from __future__ import annotations

import re
from struct import Struct, pack

_NUMBER = re.compile(rb'("?)(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,6}))?\1').fullmatch
_NEGATIVE = 0x4000
_BASE = 10_000
_BASE_DIGITS = 4
_LONGEST_BEFORE_POINT = 131_072
_LONGEST_AFTER_POINT = 16_383
_SCALES = tuple(10**missing for missing in (4, 3, 2, 1, 0))
_SHORT = 12
_of_two_words = Struct("!HhHH2H").pack
_of_four_words = Struct("!HhHH4H").pack


def binary(text: bytes) -> bytes:
    """Write a number in its binary form.

    Args:
        text: A JSON number, or a JSON string that holds one.

    Raises:
        ValueError: It is neither, or longer than a `numeric` can be.
    """
    whole, _, fraction = text.partition(b".")
    digits = whole + fraction
    if digits.isdigit() and len(whole) <= _SHORT and len(fraction) <= _BASE_DIGITS:
        scale = len(fraction)
        high, last = divmod(int(digits) * _SCALES[scale], _BASE)
        if high < _BASE:
            return _of_two_words(2, 0, 0, scale, high, last)
        high, third = divmod(high, _BASE)
        return _of_four_words(4, 2, 0, scale, *divmod(high, _BASE), third, last)
    return _long(text)


def _long(text: bytes) -> bytes:
    match = _NUMBER(text)
    if match is None:
        raise ValueError
    _, sign, whole, fraction, exponent = match.groups(b"")
    whole, fraction = _shifted(whole, fraction, int(exponent or b"0"))
    whole = whole.lstrip(b"0")
    if len(whole) > _LONGEST_BEFORE_POINT or len(fraction) > _LONGEST_AFTER_POINT:
        raise ValueError
    before = whole.rjust(-(-len(whole) // _BASE_DIGITS) * _BASE_DIGITS, b"0")
    after = fraction.ljust(-(-len(fraction) // _BASE_DIGITS) * _BASE_DIGITS, b"0")
    digits = before + after
    words = [int(digits[at : at + _BASE_DIGITS]) for at in range(0, len(digits), _BASE_DIGITS)]
    head = pack(
        "!HhHH",
        len(words),
        len(before) // _BASE_DIGITS - 1,
        _NEGATIVE if sign else 0,
        len(fraction),
    )
    return head + pack(f"!{len(words)}H", *words)


def _shifted(whole: bytes, fraction: bytes, exponent: int) -> tuple[bytes, bytes]:
    """Move the point; so far that no `numeric` holds it, it stops."""
    places = max(-_LONGEST_BEFORE_POINT, min(exponent, _LONGEST_BEFORE_POINT + 1))
    if places >= 0:
        fraction = fraction.ljust(places, b"0")
        return whole + fraction[:places], fraction[places:]
    whole = whole.rjust(-places, b"0")
    return whole[:places], whole[places:] + fraction
