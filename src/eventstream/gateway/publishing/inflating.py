"""Compressed bodies, inflated up to a bound; pure."""

from __future__ import annotations

import zlib

from backports import zstd

from eventstream.gateway.problems import Problem, Rejected, inflates_too_large

_GZIP = 16 + zlib.MAX_WBITS


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Inflate a request's body (RFC 9110, section 8.4.1).

    Args:
        body: What came.
        encoding: `gzip` (RFC 1952, members one after another too) or `zstd` (RFC 8878, likewise
            frames).
        limit: The most bytes that may come out.

    Raises:
        Rejected: More would come out, or the body is not what the encoding says.
    """
    parts: list[bytes] = []
    room = limit + 1
    rest = body
    try:
        while rest:
            stream = zlib.decompressobj(_GZIP) if encoding == b"gzip" else zstd.ZstdDecompressor()
            part = stream.decompress(rest, room)
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise Rejected(inflates_too_large(limit))
            if not stream.eof:
                raise _malformed(encoding, "it ends too early")
            rest = stream.unused_data
    except (zlib.error, zstd.ZstdError) as error:
        raise _malformed(encoding, str(error)) from None
    return b"".join(parts)


def _malformed(encoding: bytes, reason: str) -> Rejected:
    return Rejected(
        Problem(
            400,
            "invalid-encoding",
            f"The body is not the {encoding.decode()} that Content-Encoding promises: {reason}.",
        )
    )
