"""Context attributes: what the specification demands of them, and their record headers; pure.

The record is one of the Kafka binding's binary mode (section 3.2): `ce_` and the attribute's name,
the canonical string in UTF-8; `datacontenttype` is the header `content-type`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.formats.cloudevents import syntax
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eventstream.events import Headers


class Rule(NamedTuple):
    """What one attribute of the specification is to be.

    Attributes:
        header: The record header that carries it.
        holds: Whether a value is acceptable.
        demand: What an acceptable value is, as the end of a sentence that begins with "must be".
    """

    header: str
    holds: Callable[[str], object]
    demand: str


_NOT_EMPTY = "a string that is not empty"

RULES = {
    "specversion": Rule(
        "ce_specversion", "1.0".__eq__, '"1.0", the one version that is understood here'
    ),
    "id": Rule("ce_id", len, _NOT_EMPTY),
    "source": Rule(
        "ce_source",
        syntax.is_uri_reference,
        "a URI-reference that is not empty (RFC 3986, section 4.1)",
    ),
    "type": Rule("ce_type", len, _NOT_EMPTY),
    "datacontenttype": Rule(
        "content-type", syntax.is_media_type, "a media type such as text/plain (RFC 2046)"
    ),
    "dataschema": Rule(
        "ce_dataschema",
        syntax.is_absolute_uri,
        "an absolute URI, without a fragment (RFC 3986, section 4.3)",
    ),
    "subject": Rule("ce_subject", len, _NOT_EMPTY),
    "time": Rule(
        "ce_time", syntax.is_timestamp, "a timestamp such as 2018-04-05T17:31:00Z (RFC 3339)"
    ),
    "partitionkey": Rule("ce_partitionkey", len, _NOT_EMPTY),
}
"""The attributes with rules of their own: the core specification's, and the Partitioning
extension's."""

REQUIRED = ("specversion", "id", "source", "type")
_is_name = re.compile(r"[a-z0-9]+").fullmatch
_SHOWN = 60


def to_record(attributes: Mapping[str, str]) -> tuple[bytes | None, Headers]:
    """Make a record's key and headers of an event's attributes.

    `partitionkey` is the key and stays an attribute (Kafka binding, section 3.1).

    Args:
        attributes: Names and values, each value in its canonical string representation.

    Returns:
        The key, or `None`, and the headers in the attributes' order.

    Raises:
        Rejected: An attribute is missing, has a name that is none, or a value it must not have.
    """
    for name in REQUIRED:
        if name not in attributes:
            raise refused(name, "is missing; every CloudEvent has one")
    if not syntax.is_string("".join(attributes.values())):
        raise _not_a_string(attributes)
    headers: list[tuple[str, bytes | None]] = []
    for name, value in attributes.items():
        rule = RULES.get(name)
        if rule is None:
            check_name(name)
            headers.append(("ce_" + name, value.encode()))
            continue
        header, holds, demand = rule
        if not holds(value):
            raise refused(name, f"must be {demand}")
        headers.append((header, value.encode()))
    key = attributes.get("partitionkey")
    return None if key is None else key.encode(), tuple(headers)


def _not_a_string(attributes: Mapping[str, str]) -> Rejected:
    name = next(name for name, value in attributes.items() if not syntax.is_string(value))
    return refused(name, "has a control character, a noncharacter or half a surrogate pair in it")


def check_name(name: str) -> None:
    """Refuse what can't be an extension attribute's name (CloudEvents, Attribute Naming).

    Raises:
        Rejected: It has other characters than a-z and 0-9, none at all, or is reserved.
    """
    if name == "data":
        raise refused(name, "cannot be an attribute: the name is reserved for the event's data")
    if not _is_name(name):
        raise refused(name, "cannot be an attribute's name: it is made of a-z and 0-9 only")


def refused(name: str, complaint: str) -> Rejected:
    """Refuse an event for one attribute.

    Args:
        name: The attribute's name, as the client gave it.
        complaint: The rest of the sentence, without its full stop.
    """
    shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
    return invalid(f"Attribute {shown!r} {complaint}.")


def invalid(detail: str) -> Rejected:
    """Refuse an event that is not a CloudEvent."""
    return Rejected(Problem(400, "invalid-cloudevent", detail))
