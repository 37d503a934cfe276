"""Values as fields of PostgreSQL's binary format, and fields as rows and arrays; pure.

A field is its length in four bytes, and the type's binary form: the same in COPY's rows and in
arrays. Rows are written in runs of numbers and lengths between the bytes of two columns, a run by
one call: a batch has thousands of rows.
"""

from __future__ import annotations

import struct
from itertools import chain, repeat
from struct import Struct, pack
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Columns = Sequence[Sequence[Any]]
    Piece = Callable[[Columns], Iterable[Any]]

NULL = b"\xff\xff\xff\xff"
"""A field that is NULL."""


class Form(NamedTuple):
    """How a type's values stand behind their length.

    Attributes:
        code: What `struct` calls a number, one that refuses `None`; empty, and they are bytes.
        size: A number's length.
        head: What stands before bytes.
    """

    code: str = ""
    size: int = 0
    head: bytes = b""

    def fields(self, values: Sequence[Any]) -> list[bytes]:
        """Write values, a field each; `None` is NULL."""
        write = self._number() if self.code else self._bytes()
        return [NULL if value is None else write(value) for value in values]

    def _number(self) -> Callable[[Any], bytes]:
        pack, size = Struct("!i" + self.code).pack, self.size
        return lambda value: pack(size, value)

    def _bytes(self) -> Callable[[Any], bytes]:
        head = self.head
        return lambda value: (len(head) + len(value)).to_bytes(4, "big") + head + value


class Layout:
    """The fields of a row.

    Args:
        forms: A form for each column.
    """

    def __init__(self, forms: Sequence[Form]) -> None:
        self._forms = forms
        self._rows = _Records(pack("!h", len(forms)), forms)
        self._elements = [_Records(b"", [form]) for form in forms]

    def copied(self, columns: Columns) -> bytes:
        """Write rows as COPY reads them.

        Source: PostgreSQL, "COPY", section "Binary Format".

        Args:
            columns: Values, a list of them for each column.
        """
        return self._rows.written(columns)

    def array(self, at: int, values: Sequence[Any], element: int) -> bytes:
        """Write values of a column as an array.

        Source: PostgreSQL, src/backend/utils/adt/arrayfuncs.c, `array_recv`.

        Args:
            at: Which column.
            values: The values.
            element: The elements' type, by the server's number.
        """
        head = pack("!iiiii", 1, 1, element, len(values), 1)
        return head + self._elements[at].written([values])

    def fields(self, at: int, values: Sequence[Any]) -> list[bytes]:
        """Write values of a column, a field each."""
        return self._forms[at].fields(values)


class _Records:
    """Fields side by side, again and again.

    Args:
        head: What stands before each record's.
        forms: Theirs.
    """

    def __init__(self, head: bytes, forms: Sequence[Form]) -> None:
        self._head = head
        self._forms = forms
        self._pieces = self._made_of([False] * len(forms))

    def written(self, columns: Columns) -> bytes:
        """Write records, from a list of values for each field."""
        try:
            return _joined(self._pieces, columns)
        except (TypeError, struct.error):  # None is among them
            return _joined(self._made_of([None in column for column in columns]), columns)

    def _made_of(self, have_null: Sequence[bool]) -> list[Piece]:
        """Say what makes a record, one after the other."""
        pieces: list[Piece] = []
        code, arguments = f"{len(self._head)}s", [_constant(self._head)]
        for at, form in enumerate(self._forms):
            if have_null[at]:
                pieces += [*_packed(code, arguments), _fields(at, form)]
                code, arguments = "", []
            elif form.code:
                code += "i" + form.code
                arguments += [_constant(form.size), _column(at)]
            else:
                code += f"i{len(form.head)}s"
                arguments += [_lengths(at, len(form.head)), _constant(form.head)]
                pieces += [*_packed(code, arguments), _column(at)]
                code, arguments = "", []
        return pieces + _packed(code, arguments)


def _joined(pieces: Sequence[Piece], columns: Columns) -> bytes:
    return b"".join(chain.from_iterable(zip(*(piece(columns) for piece in pieces), strict=False)))


def _packed(code: str, arguments: Sequence[Piece]) -> list[Piece]:
    if not code:
        return []
    pack = Struct("!" + code).pack
    return [lambda columns: map(pack, *(argument(columns) for argument in arguments))]


def _constant(value: Any) -> Piece:
    return lambda _: repeat(value)


def _column(at: int) -> Piece:
    return lambda columns: columns[at]


def _lengths(at: int, more: int) -> Piece:
    if not more:
        return lambda columns: map(len, columns[at])
    return lambda columns: [more + len(value) for value in columns[at]]


def _fields(at: int, form: Form) -> Piece:
    return lambda columns: form.fields(columns[at])
