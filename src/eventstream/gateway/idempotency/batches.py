"""Group commit: what many ask for at once goes out as one statement."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Ask = TypeVar("Ask")
Got = TypeVar("Got")


class Batches(Generic[Ask, Got]):
    """Carries asks to one function, one batch at a time.

    While a batch is on its way the next one gathers: alone, an ask waits for nobody, and under load
    a batch is as large as what came during one round trip.

    Args:
        run: Answers a batch, in its order.
        most: The most asks in one batch.
    """

    def __init__(self, run: Callable[[Sequence[Ask]], Awaitable[Sequence[Got]]], most: int) -> None:
        self._run = run
        self._most = most
        self._waiting: list[tuple[Ask, asyncio.Future[Got]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, ask: Ask) -> asyncio.Future[Got]:
        """Take an ask into the next batch; its answer, or the batch's error, comes later."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Got] = loop.create_future()
        self._waiting.append((ask, answer))
        if self._task is None:
            self._task = loop.create_task(self._carry())
        return answer

    async def drain(self) -> None:
        """Wait until nothing waits and nothing is on its way."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _carry(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer(batch)
        finally:
            self._task = None

    async def _answer(self, batch: Sequence[tuple[Ask, asyncio.Future[Got]]]) -> None:
        try:
            answers = await self._run([ask for ask, _ in batch])
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
        else:
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
