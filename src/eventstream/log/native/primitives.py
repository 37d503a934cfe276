"""Kafka's primitive types as bytes, and back; pure.

Source: kafka.apache.org/protocol, "Protocol Primitive Types"; tagged fields are KIP-482.
"""

from __future__ import annotations

import struct

NO_TAGS = b"\0"
TABLE = 16_384
"""Numbers below this are written by looking them up."""
_SEVEN_BITS = 0x7F
"""What a byte of a VARINT holds; its eighth bit says that more follow."""


def uvarint(number: int) -> bytes:
    """Write an UNSIGNED_VARINT."""
    written = bytearray()
    while number > _SEVEN_BITS:
        written.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def varint(number: int) -> bytes:
    """Write a VARINT or VARLONG: zigzag, so that small negative numbers are short too."""
    return VARINTS[number] if 0 <= number < TABLE else uvarint((number << 1) ^ (number >> 63))


VARINTS = [uvarint(number << 1) for number in range(TABLE)]
"""VARINTs of the numbers from 0."""


def string(text: str) -> bytes:
    """Write a STRING."""
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def compact_string(text: str) -> bytes:
    """Write a COMPACT_STRING."""
    data = text.encode()
    return uvarint(len(data) + 1) + data


class Reader:
    """Reads one value after another.

    Raises:
        EOFError: The bytes end before a value does.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        start = self._at
        if count < 0 or start + count > len(self._data):
            raise EOFError(f"{count} bytes at {start} of {len(self._data)}")
        self._at = start + count
        return self._data[start : self._at]

    def integer(self, size: int) -> int:
        """Read a signed integer of so many bytes: INT8 to INT64."""
        return int.from_bytes(self.take(size), "big", signed=True)

    def uvarint(self) -> int:
        """Read an UNSIGNED_VARINT."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & _SEVEN_BITS) << shift
            if byte <= _SEVEN_BITS:
                return number
            shift += 7

    def varint(self) -> int:
        """Read a VARINT or VARLONG."""
        number = self.uvarint()
        return (number >> 1) ^ -(number & 1)

    def compact_string(self) -> str:
        """Read a COMPACT_STRING or COMPACT_NULLABLE_STRING; null is read as empty."""
        return self.take(max(0, self.uvarint() - 1)).decode()

    def array(self) -> range:
        """Begin to read a COMPACT_ARRAY: iterate over what this returns; null is read as empty."""
        return range(max(0, self.uvarint() - 1))

    def tags(self) -> None:
        """Pass over tagged fields."""
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())
