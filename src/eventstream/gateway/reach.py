"""Whether Kafka answers, found out before clients have to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import EventstreamError
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from eventstream.gateway.admission import Admission
    from eventstream.log.producing import Producer
    from eventstream.log.questions import Questions

log = structlog.get_logger(__name__)

STALLED_S = 2.0
PROBE_TIMEOUT_S = 2.0
RETRY_AFTER_S = 2


class Reach:
    """Closes the admission while Kafka is out of reach, and opens it when it is back.

    Two things raise the suspicion: the client has lost every broker, or events wait and none was
    answered for two seconds. Kafka is then asked for its topics; only if it does not answer that
    is the admission closed, and from then on it is asked until it does.

    Args:
        producer: Knows of lost connections.
        questions: Asks Kafka.
        admission: What is closed and opened.
    """

    def __init__(self, producer: Producer, questions: Questions, admission: Admission) -> None:
        self._producer = producer
        self._questions = questions
        self._admission = admission
        self._probing: asyncio.Task[None] | None = None
        self._left = 0
        self._moved_s = 0.0

    def tick(self, now_s: float) -> None:
        """Look for signs of trouble; called about twice a second, in the loop."""
        admission = self._admission
        lost = self._producer.lost
        if admission.left != self._left or not admission.events:
            self._left = admission.left
            self._moved_s = now_s
        stalled = now_s - self._moved_s > STALLED_S
        if self._probing is None and (lost or stalled or admission.closed is not None):
            self._probing = asyncio.get_running_loop().create_task(self._probe())
            self._probing.add_done_callback(self._probed)

    async def stop(self) -> None:
        """End the asking."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._questions.topics, PROBE_TIMEOUT_S)
        except EventstreamError as error:
            if self._admission.closed is None:
                log.warning("kafka is out of reach; publishes are refused", reason=str(error))
            self._admission.closed = Problem(
                503,
                "kafka-unavailable",
                "Kafka is out of reach, so nothing can be published; try again.",
                retry_after_s=RETRY_AFTER_S,
            )
        else:
            if self._admission.closed is not None:
                log.info("kafka answers again; publishes are taken")
            self._admission.closed = None
            self._moved_s = loop.time()

    def _probed(self, _task: asyncio.Task[None]) -> None:
        self._probing = None
