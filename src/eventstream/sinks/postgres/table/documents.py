"""Values out of many JSON events, each decoded as its column wants it; pure.

Only what is wanted is decoded: its places are made a type for the decoder, which checks what stands
there too. An event that is not of that type is looked at again, value by value.
"""

from __future__ import annotations

import contextlib
import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from eventstream import pointer
from eventstream.sinks.json_text import why_not_json
from eventstream.sinks.postgres.table.codecs import UNFIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Get = Callable[[Any], Any]

_SHOWN = 40
_MAY_BE_INDEX = re.compile(r"[0-9]+").fullmatch
_BREAKS_NAMES = re.compile(r'["\\\x00-\x1f]').search


class Wanted(NamedTuple):
    """One value of each event.

    Attributes:
        pointer: Where it stands.
        decoded: What it is decoded as; `msgspec.Raw` leaves it text, in bytes.
    """

    pointer: pointer.Pointer
    decoded: Any


class Found(NamedTuple):
    """What was taken out of JSON texts.

    Attributes:
        columns: Of each that was wanted a list; `None` where it is missing, null or unfit.
        unfit: What stands where something else should, by the text's index and that of what was
            wanted.
        not_json: Why a text is not JSON, by its index.
    """

    columns: list[list[Any]]
    unfit: dict[tuple[int, int], str]
    not_json: dict[int, str]


class Documents:
    """Takes values out of JSON texts.

    Args:
        wanted: What is taken.
    """

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._pointers = [each.pointer for each in wanted]
        self._decoders = [_decoder(each.decoded) for each in wanted]
        root = _Object()
        self._getters = [_getter(root.add(each.pointer, each.decoded)) for each in wanted]
        made = root.type()
        self._decode: Any = msgspec.json.Decoder(made).decode
        self._blank: Any = msgspec.convert({}, made)

    def take(self, texts: Sequence[bytes]) -> Found:
        """Take what is wanted out of each text."""
        documents, odd = self._decoded(texts)
        found = Found([], {}, {})
        for at, get in enumerate(self._getters):
            if get is None:
                found.columns.append([None] * len(texts))
                self._look(found, at, texts, sorted(set(range(len(texts))).difference(odd)))
            else:
                values = list(map(get, documents))
                found.columns.append(_texts(values) if self._decoders[at] is bytes else values)
        for index in odd:
            reason = why_not_json(texts[index])
            if reason is not None:
                found.not_json[index] = reason
                continue
            for at in range(len(self._getters)):
                self._look(found, at, texts, [index])
        return found

    def _decoded(self, texts: Sequence[bytes]) -> tuple[list[Any], list[int]]:
        """Decode texts; those that are odd are blank, and their indexes told."""
        decode = self._decode
        with contextlib.suppress(*UNFIT):
            return list(map(decode, texts)), []
        documents, odd = [], []
        for index, text in enumerate(texts):
            try:
                documents.append(decode(text))
            except UNFIT:
                documents.append(self._blank)
                odd.append(index)
        return documents, odd

    def _look(self, found: Found, at: int, texts: Sequence[bytes], indexes: Sequence[int]) -> None:
        """Find one of the values in some texts."""
        column, decode, place = found.columns[at], self._decoders[at], self._pointers[at]
        for index in indexes:
            text = pointer.find(place, texts[index])
            if text is not None and text != b"null":
                try:
                    column[index] = decode(text)
                except UNFIT:
                    found.unfit[index, at] = shown(text)


class _Object:
    """An object in which something is wanted: other objects, or values as they are decoded."""

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}

    def add(self, place: Sequence[str], decoded: Any) -> list[str] | None:
        """Put a value in.

        Returns:
            The names of the fields that lead to it; `None` if no type can have it: it may be in an
            array, or is in what is wanted as a whole.
        """
        if not place or any(map(_is_no_name, place)):
            return None
        token, *rest = place
        inner = self._members.setdefault(token, _Object() if rest else decoded)
        if isinstance(inner, _Object):
            path = inner.add(rest, decoded)
        else:
            path = [] if not rest and inner == decoded else None
        return None if path is None else [self._field(token), *path]

    def type(self) -> type[msgspec.Struct]:
        """Make a type that a JSON object is decoded as."""
        fields = []
        for token, inner in self._members.items():
            kind = inner.type() if isinstance(inner, _Object) else inner
            field: Any = msgspec.field(default=None, name=token)
            # Whatever it says, `Raw | None` takes null only.
            kind = kind if kind is msgspec.Raw else kind | None
            fields.append((self._field(token), kind, field))
        return msgspec.defstruct("Document", fields, gc=False)

    def _field(self, token: str) -> str:
        return f"member_{list(self._members).index(token)}"


def _is_no_name(token: str) -> bool:
    return bool(_MAY_BE_INDEX(token) or _BREAKS_NAMES(token))


def _decoder(decoded: Any) -> Get:
    return bytes if decoded is msgspec.Raw else msgspec.json.Decoder(decoded).decode


def _texts(values: Sequence[msgspec.Raw | None]) -> list[bytes | None]:
    texts = [None if value is None else bytes(value) for value in values]
    if b"null" in texts:
        return [None if text == b"null" else text for text in texts]
    return texts


def _getter(path: list[str] | None) -> Get | None:
    if path is None:
        return None
    get: Get = attrgetter(path[0])
    for name in path[1:]:
        get = _inside(get, attrgetter(name))
    return get


def _inside(outer: Get, inner: Get) -> Get:
    def get(document: Any) -> Any:
        found = outer(document)
        return None if found is None else inner(found)

    return get


def shown(text: bytes) -> str:
    """Write a JSON value for a sentence; objects and arrays are only named."""
    if text.startswith((b"{", b"[")):
        return "an object" if text.startswith(b"{") else "an array"
    written = text.decode(errors="replace")
    return written if len(written) <= _SHOWN else written[:_SHOWN] + "..."
