"""Which format a produce request is in, by its Content-Type; pure.

Source: `Versions.java`, the `@Consumes` of `ProduceToTopicAction.java` and `ProduceAction.java`,
`JsonStreamMessageBodyReader.java`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.formats.rest_proxy.produce_v2 import BINARY_V2, JSON_V2
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.gateway.formats.rest_proxy.produce_v2 import ProduceV2

_V2: Mapping[bytes, ProduceV2] = {
    b"application/vnd.kafka.json.v2+json": JSON_V2,
    b"application/vnd.kafka.binary.v2+json": BINARY_V2,
    b"": BINARY_V2,
}
_WITH_SCHEMAS = frozenset(
    {
        b"application/vnd.kafka.avro.v2+json",
        b"application/vnd.kafka.jsonschema.v2+json",
        b"application/vnd.kafka.protobuf.v2+json",
    }
)
_V3 = b"application/json"
_CHARSETS = frozenset({b"", b"utf-8", b"iso-8859-1"})
_SHOWN = 100


def format_of_v2(content_type: bytes) -> ProduceV2:
    """Choose v2's format; a request without a media type is binary, as there.

    Args:
        content_type: The header's value; parameters are ignored.

    Raises:
        Rejected: Another media type.
    """
    media_type = _media_type(content_type)
    chosen = _V2.get(media_type)
    if chosen is None:
        raise Rejected(_not_v2(media_type))
    return chosen


def check_v3(content_type: bytes) -> None:
    """Let `application/json` pass.

    Raises:
        Rejected: Another media type, or a charset that JSON is not read in.
    """
    media_type = _media_type(content_type)
    if media_type != _V3:
        raise Rejected(
            _unsupported(
                f"Content-Type {_shown(media_type)} is not taken here; send application/json."
            )
        )
    charset = _charset(content_type)
    if charset not in _CHARSETS:
        raise Rejected(
            Problem(
                400,
                "unsupported-charset",
                f"Charset {_shown(charset)} in the Content-Type is not taken here; send UTF-8.",
            )
        )


def _not_v2(media_type: bytes) -> Problem:
    taken = "send application/vnd.kafka.json.v2+json or application/vnd.kafka.binary.v2+json"
    if media_type in _WITH_SCHEMAS:
        return _unsupported(
            f"Content-Type {_shown(media_type)} needs a schema registry, and this gateway has none;"
            f" {taken}."
        )
    return _unsupported(f"Content-Type {_shown(media_type)} is not taken here; {taken}.")


def _media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def _charset(content_type: bytes) -> bytes:
    for parameter in content_type.lower().split(b";")[1:]:
        name, _, value = parameter.strip().partition(b"=")
        if name == b"charset":
            return value.strip(b'"')
    return b""


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupported-media-type", detail)


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN].decode("latin-1"))
