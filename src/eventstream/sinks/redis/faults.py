"""What errors of the server's, and of the way there, mean for a sink.

Source: Redis documentation, "Redis serialization protocol specification", simple errors; the codes
are those of Redis 7 and Valkey 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import exceptions as vendor

from eventstream.sinks.contract import SinkRefused, SinkUnavailable

if TYPE_CHECKING:
    from eventstream.errors import EventstreamError

_LETS_US_NOT_IN = (vendor.AuthenticationError, vendor.AuthorizationError)
_PASSES = (
    vendor.ConnectionError,  # LOADING too, and too many clients
    vendor.TimeoutError,
    vendor.ReadOnlyError,  # a server that became a replica
    vendor.OutOfMemoryError,
    vendor.AskError,  # MOVED too
    vendor.TryAgainError,
    vendor.ClusterDownError,
    vendor.MasterDownError,
)
_CODES_THAT_PASS = ("BUSY ", "MISCONF ", "NOREPLICAS ", "UNBLOCKED ", "INPROG ")


class FunctionMissing(SinkUnavailable):
    """The server has not got our functions, or no more."""


def translate(error: vendor.RedisError) -> EventstreamError:
    """Say what an error of the server's, or its absence, means for a sink."""
    said = sentence(error)
    if isinstance(error, _LETS_US_NOT_IN):
        return SinkRefused(f"Redis lets us not in: {said}.")
    if said == "Function not found":
        return FunctionMissing("Redis has not got the functions that write.")
    if isinstance(error, _PASSES) or f"{said} ".startswith(_CODES_THAT_PASS):
        return SinkUnavailable(f"Redis cannot take this now: {said}.")
    return SinkRefused(f"Redis refuses: {said}.")


def sentence(error: vendor.RedisError) -> str:
    """Return the server's own words in one line, without those that may be an event's."""
    first = str(error).strip().splitlines()
    said = first[0] if first else type(error).__name__
    for aside in (", with args beginning with:", " script: "):
        said = said.partition(aside)[0]
    return said.rstrip(". ")
