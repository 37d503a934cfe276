"""uvicorn's HTTP protocol, with an end to its patience for clients that take nothing.

An application can end an answer, but not cut a connection: what was written before stays in the
transport until the client reads it, which it may never do, and a stop would wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

STALL_S = 33.0
"""A little more than `--events-stall-s`, so that a stream can note why it ends."""
STOPPING_STALL_S = 2.0


class PatientProtocol(HttpToolsProtocol):
    """Aborts a connection whose client took nothing of what waits for it, for too long.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: The lifespan's.
        _loop: uvicorn's.
        stall_s: How long that may be, in seconds; `STOPPING_STALL_S` while the server stops.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        stall_s: float = STALL_S,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._stall_s = stall_s
        self._cut: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Note that the client has fallen behind."""
        super().pause_writing()
        self._wait(self._stall_s)

    def resume_writing(self) -> None:
        """Note that the client took something."""
        super().resume_writing()
        self._wait(None)

    def shutdown(self) -> None:
        """Stop, as the server does."""
        self._stall_s = min(self._stall_s, STOPPING_STALL_S)
        if self._cut is not None:
            self._wait(self._stall_s)
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._wait(None)
        super().connection_lost(exc)

    def _wait(self, at_most_s: float | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        self._cut = (
            None if at_most_s is None else self.loop.call_later(at_most_s, self.transport.abort)
        )
