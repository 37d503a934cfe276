"""Which topics exist: known at once for those seen before, asked for otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError, KafkaUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.log.questions import Questions

    Resolved = Callable[[EventstreamError | None], None]

LOOKUP_TIMEOUT_S = 2.0
LOOKUP_PAUSE_S = 0.1
LEADER_TIMEOUT_S = 1.0
REFRESH_INTERVAL_S = 30.0


class TopicDirectory:
    """The topics of the cluster and their partition counts, as last heard.

    `known` may be read at any time, and is the same mapping always. A name it lacks is settled by
    `resolve`, which asks Kafka again after the call was made, so a topic created a moment ago is
    found; names nobody knows cannot make it ask more than ten times a second.
    """

    def __init__(self, questions: Questions) -> None:
        self.known: dict[str, int] = {}
        self._questions = questions
        self._waiting: list[Resolved] = []
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the directory fresh; needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._keep_fresh())

    async def stop(self) -> None:
        """End the refreshing; whoever still waits is told so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._answer(KafkaUnavailable("This process is stopping; try another one."))

    def resolve(self, resolved: Resolved) -> None:
        """Ask Kafka for its topics now.

        Args:
            resolved: Called in the loop: with `None` once `known` is newer than this call, or with
                the error that kept Kafka from answering.
        """
        self._waiting.append(resolved)
        self._asked.set()

    def forget(self, topic: str) -> None:
        """Drop a topic that Kafka says is gone."""
        self.known.pop(topic, None)

    async def _keep_fresh(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._asked.clear()
            waiting, self._waiting = self._waiting, []
            try:
                found = await loop.run_in_executor(None, self._questions.topics, LOOKUP_TIMEOUT_S)
                await self._wait_for_leaders(found)
                self.known.clear()
                self.known.update(found)
            except EventstreamError as error:
                self._answer(error, waiting)
            else:
                self._answer(None, waiting)
            await asyncio.sleep(LOOKUP_PAUSE_S)
            try:
                await asyncio.wait_for(self._asked.wait(), REFRESH_INTERVAL_S)
            except TimeoutError:
                continue

    async def _wait_for_leaders(self, found: dict[str, int]) -> None:
        """Wait, but not for long, until those can be sent to that were not there before."""
        new = {name: count for name, count in found.items() if self.known.get(name) != count}
        if not (self.known and new):
            return
        with contextlib.suppress(EventstreamError):
            await asyncio.get_running_loop().run_in_executor(
                None, self._questions.wait_for_leaders, new, LEADER_TIMEOUT_S
            )

    def _answer(
        self, error: EventstreamError | None, waiting: list[Resolved] | None = None
    ) -> None:
        if waiting is None:
            waiting, self._waiting = self._waiting, []
        for resolved in waiting:
            resolved(error)
