"""One event in the JSON event format (RFC 8259 text) to one record; pure."""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.formats import json_event
from eventstream.gateway.formats.cloudevents import syntax
from eventstream.gateway.formats.cloudevents.attributes import (
    RULES,
    check_name,
    invalid,
    refused,
    to_record,
)
from eventstream.gateway.formats.contract import Record
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from eventstream.events import Headers

Members = dict[str, msgspec.Raw]

_members = msgspec.json.Decoder(Members).decode
_string = msgspec.json.Decoder(str).decode
_is_integer = re.compile(rb"-?[0-9]+").fullmatch
_INT32 = range(-(2**31), 2**31)
_INT32_DIGITS = 11
_SHOWN = 100
_BOOLEANS = {b"true": "true", b"false": "false"}

_ENCODINGS = {"utf-8": "utf-8", "us-ascii": "ascii", "iso-8859-1": "latin-1"}
"""The charsets a string can be written in here; a client may name any."""


def decode(
    text: bytes, key: bytes | None = None, more: Headers = (), timestamp_ms: int = 0
) -> Record:
    """Make a record of one event.

    An event without data is a record without a value, which is a tombstone where the topic is
    compacted (Kafka binding 1.0.3, section 3.2.2). Data that is JSON's `null` is a value.

    Args:
        text: The event in the JSON event format.
        key: The key that the request names, or `None`. It is the record's (Kafka binding, 3.1);
            without one `partitionkey` is.
        more: Record headers that the request asks for, after the event's own.
        timestamp_ms: The record's time, milliseconds since the epoch; 0 is when it is sent.

    Raises:
        Rejected: The text is not JSON, or not a CloudEvent.
    """
    members = _decode_members(text)
    data = members.pop("data", None)
    encoded = _unless_null(members.pop("data_base64", None))
    attributes = _attributes(members)
    if data is not None and "datacontenttype" not in attributes:
        attributes["datacontenttype"] = "application/json"
    partition_key, headers = to_record(attributes)
    if encoded is None:
        value = None if data is None else _value(data, attributes["datacontenttype"])
    elif data is None:
        value = _from_base64(encoded)
    else:
        raise invalid("The event has both data and data_base64; give one of them.")
    record_key = partition_key if key is None else key
    return Record(value, record_key, headers + more, -1, timestamp_ms)


def _decode_members(text: bytes) -> Members:
    try:
        members = _members(text)
        if not text.isascii():
            text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_an_event(text, "object") from None
    if _has_more_colons(text, members):
        for name in members:
            if ":" in name:
                check_name(name)
        raise invalid("The event has a member more than once; give each once.")
    return members


def _has_more_colons(text: bytes, members: Members) -> bool:
    """Whether there is more in an object's text than the members read from it, and space.

    A parser keeps the last member of those with one name. What it dropped had a colon, and so the
    text has one more than the members do. Text without space is settled by its length alone.
    """
    values = b"".join(members.values())
    count = len(members)
    if len(text) == len(values) + sum(map(len, members)) + count * len('"":,') + len("{}") - 1:
        return False
    return text.count(b":") != values.count(b":") + count


def not_an_event(text: bytes, expected: str) -> Rejected:
    """Say why `text` is not the JSON object or array that was expected."""
    reason = json_event.check(text)
    if reason is None:
        return invalid(f"What stands where a CloudEvent is expected is not a JSON {expected}.")
    return Rejected(Problem(400, "invalid-json", f"The body is not JSON: {reason}."))


def _attributes(members: Members) -> dict[str, str]:
    """Give attributes their canonical string representation; `null` is an unset one (2.2)."""
    attributes: dict[str, str] = {}
    for name, raw in members.items():
        try:
            attributes[name] = _string(raw)
        except msgspec.ValidationError:
            text = bytes(raw)
            if text != b"null":
                attributes[name] = _other_type(name, text)
    return attributes


def _other_type(name: str, text: bytes) -> str:
    """Give a Boolean's or an Integer's canonical string (JSON format, section 2.2)."""
    if name in RULES:
        raise refused(name, "must be a JSON string")
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _is_integer(text) and len(text) <= _INT32_DIGITS and int(text) in _INT32:
        return text.decode()
    raise refused(
        name,
        "must be a JSON string, true, false or a whole number from -2147483648 to 2147483647",
    )


def _value(data: msgspec.Raw, content_type: str) -> bytes:
    """Take the data out of the `data` member (JSON format, section 3.1.2).

    JSON stays as it was written, a JSON string with its quotes; text of another type is what the
    JSON string says.
    """
    if syntax.declares_json(content_type):
        return bytes(data)
    try:
        text = _string(data)
    except msgspec.ValidationError:
        raise invalid(
            "The event's data must be a JSON string, since its datacontenttype,"
            f" {_shown(content_type)}, is not JSON; or send it as data_base64."
        ) from None
    return _in_charset(text, content_type)


def _in_charset(text: str, content_type: str) -> bytes:
    """Encode text as its media type declares it."""
    charsets = syntax.charsets(content_type) or ["utf-8"]
    encoding = _ENCODINGS.get(charsets[0])
    if encoding is None or len(charsets) > 1:
        raise invalid(
            f"The event's data cannot be written as {_shown(content_type)}: the charsets for a"
            " string are utf-8, us-ascii and iso-8859-1; send it as data_base64."
        )
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        raise invalid(
            f"The event's data has characters that its datacontenttype, {_shown(content_type)},"
            " cannot carry; declare charset=utf-8, or send it as data_base64."
        ) from None


def _shown(content_type: str) -> str:
    return content_type if len(content_type) <= _SHOWN else content_type[:_SHOWN] + "…"


def _unless_null(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    return None if raw is None or bytes(raw) == b"null" else raw


def _from_base64(raw: msgspec.Raw) -> bytes:
    """Decode `data_base64` (JSON format, section 3.1.2; RFC 4648, section 4)."""
    try:
        return a2b_base64(_string(raw), strict_mode=True)
    except (msgspec.ValidationError, ValueError):
        raise invalid(
            "The event's data_base64 is not a JSON string of Base64 (RFC 4648)."
        ) from None
