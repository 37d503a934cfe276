"""CloudEvents 1.0 over HTTP, in all three content modes, to records of the Kafka binding; pure.

The specifications are those of CloudEvents 1.0.2: the core, the HTTP and Kafka protocol bindings,
the JSON event format and the Partitioning extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.formats.cloudevents import syntax
from eventstream.gateway.formats.cloudevents.batch import BATCHED
from eventstream.gateway.formats.cloudevents.headers import binary, is_binary
from eventstream.gateway.formats.cloudevents.structured import STRUCTURED
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Format

__all__ = ["binary", "format_of", "is_binary"]

_PREFIX = "application/cloudevents"
_FORMATS: dict[str, Format] = {
    "application/cloudevents+json": STRUCTURED,
    "application/cloudevents-batch+json": BATCHED,
}


def format_of(content_type: bytes) -> Format | None:
    """Choose the format of a CloudEvents media type (HTTP binding, section 3).

    It comes before any `ce-` header: those of a request in this mode are copies (section 3.2.3).

    Args:
        content_type: The Content-Type header's value.

    Returns:
        The format, or `None` when the media type is not one of CloudEvents.

    Raises:
        Rejected: The event format or the charset is not understood here: 415.
    """
    text = content_type.decode("latin-1").strip()
    media_type = text.partition(";")[0].strip().lower()
    if not media_type.startswith(_PREFIX):
        return None
    chosen = _FORMATS.get(media_type)
    if chosen is None:
        raise _unsupported(
            f"CloudEvents as {media_type[:100]} are not understood here; send"
            " application/cloudevents+json, application/cloudevents-batch+json or binary mode."
        )
    if not {"utf-8"}.issuperset(syntax.charsets(text)):
        raise _unsupported("CloudEvents in JSON are UTF-8; no other charset is understood here.")
    return chosen


def _unsupported(detail: str) -> Rejected:
    return Rejected(Problem(415, "unsupported-media-type", detail))
