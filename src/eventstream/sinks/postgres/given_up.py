"""Where the ledger notes which events that were given up are done after all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventstream.sinks.postgres.ledger import Ledger, Place


class GivenUp:
    """One partition's; owned by an event loop.

    Args:
        ledger: The ledger.
        where: The topic, the partition, and which topic of that name it is.
    """

    def __init__(self, ledger: Ledger, where: tuple[str, int, str]) -> None:
        self._ledger = ledger
        self._where = where
        self._place: Place | None = None
        # A second take-over would end the first one's turn.
        self._taking = asyncio.Lock()

    async def place(self) -> Place:
        """Become the owner of what is noted, the first time.

        Raises:
            SinkUnavailable: The server does not answer.
            SinkRefused: It refuses.
        """
        async with self._taking:
            if self._place is None:
                self._place = await self._ledger.take_over_letters(*self._where)
            return self._place
