"""Binary content mode: attributes in `ce-` headers, the body is the data (HTTP binding, 3.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from eventstream.gateway.formats.cloudevents.attributes import RULES, refused, to_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.events import Headers

_PREFIX = b"ce-"
_ATTRIBUTES = {b"ce-" + name.encode(): name for name in RULES if name != "datacontenttype"}
_ATTRIBUTES[b"content-type"] = "datacontenttype"
_quoted_string = re.compile(rb'"((?:[\t !#-\[\]-~]|\\[\t -~])*+)"').fullmatch
_unescape = re.compile(rb"\\(.)").sub
_stray_percent = re.compile(rb"%(?![0-9A-Fa-f]{2})").search


def is_binary(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether request headers carry a CloudEvent's attributes.

    One `ce-` header is enough: an event that lacks others is refused, rather than published
    without the attributes it came with.

    Args:
        headers: Names in lower case, and values.
    """
    return any(name.startswith(_PREFIX) for name, _ in headers)


def binary(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, Headers]:
    """Make a record's key and headers of a request's headers; its body is the record's value.

    Args:
        headers: Names in lower case, and values. Those that are not of CloudEvents are passed over.

    Returns:
        The key from `partitionkey`, or `None`, and the record's headers.

    Raises:
        Rejected: The headers are not those of a CloudEvent.
    """
    attributes: dict[str, str] = {}
    for name, value in headers:
        attribute = _ATTRIBUTES.get(name)
        if attribute is None:
            if not name.startswith(_PREFIX):
                continue
            attribute = _other_attribute(name)
        if attribute in attributes:
            raise refused(attribute, "stands in more than one header; give it once")
        attributes[attribute] = _text(attribute, value.strip(b" \t"))
    return to_record(attributes)


def _other_attribute(name: bytes) -> str:
    attribute = name[len(_PREFIX) :].decode("latin-1")
    if attribute == "datacontenttype":
        raise refused(attribute, "has no header of its own: it is the Content-Type")
    return attribute


def _text(attribute: str, value: bytes) -> str:
    """Decode a header's value: first a quoted string, then percent-encoding, once (3.1.3.2).

    Content-Type is a media type in the syntax of its own and stays as it is (3.1.1).
    """
    if attribute == "datacontenttype":
        return value.decode("latin-1")
    if not value.isascii():
        raise refused(attribute, "has bytes in its header that are not ASCII; percent-encode them")
    if b'"' in value:
        value = _unquote(attribute, value)
    if b"%" not in value:
        return value.decode("ascii")
    if _stray_percent(value):
        raise refused(
            attribute,
            "has a % in its header without two hexadecimal digits after it; write % as %25",
        )
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise refused(attribute, "is not UTF-8 once its header is percent-decoded") from None


def _unquote(attribute: str, value: bytes) -> bytes:
    match = _quoted_string(value)
    if match is None:
        raise refused(
            attribute,
            'has a " in its header that does not enclose the whole value; write " as %22',
        )
    return _unescape(rb"\1", match[1])
