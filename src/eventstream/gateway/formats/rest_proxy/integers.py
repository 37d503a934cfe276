"""Integers that are written with a fraction of zero; pure.

`1.0` is an integer to JSON Schema (draft 2020-12 validation, section 6.1.1) and so to whoever goes
by the description, and Jackson takes it as one. It is rare: only what was refused for it is decoded
once more, in the decoder's lax mode.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    import msgspec

    Decoded = TypeVar("Decoded")

_float_for_integer = re.compile(r"Expected `int[^`]*`, got `float`").match


def once_more(
    decode: Callable[[bytes], Decoded], text: bytes, error: msgspec.ValidationError
) -> Decoded:
    """Decode a text that was refused, if it may have been for such a number.

    Args:
        decode: Of a decoder that is not strict.
        text: The text.
        error: Why it was refused.

    Raises:
        msgspec.ValidationError: It was for another reason, or there are more.
    """
    if not _float_for_integer(str(error)):
        raise error
    return decode(text)
