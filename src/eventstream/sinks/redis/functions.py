"""The functions inside the server, which are put there when it has not got them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.redis import library
from eventstream.sinks.redis.faults import FunctionMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.sinks.redis.sessions import Sessions


class Functions:
    """Calls functions of the library.

    Args:
        sessions: The connections.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def call(
        self, function: bytes, keys: Sequence[bytes], words: Sequence[bytes | int]
    ) -> Any:
        """Call a function, and return what it says.

        Raises:
            SinkUnavailable: The server does not answer, or cannot do this now.
            SinkRefused: It does not do this for us.
        """
        request = (b"FCALL", function, len(keys), *keys, *words)
        try:
            return await self._sessions.call(*request)
        except FunctionMissing:
            # A new server, or one that was flushed; of a call without a function nothing was done.
            await self._load()
        return await self._sessions.call(*request)

    async def _load(self) -> None:
        try:
            await self._sessions.ask(b"FUNCTION", b"LOAD", b"REPLACE", library.CODE)
        except SinkRefused as error:
            raise SinkRefused(
                f"The functions that write cannot be put on the server. {error} Allow the user"
                f" FUNCTION LOAD, or load the library {library.NAME} by another."
            ) from None
