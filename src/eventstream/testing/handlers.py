"""An app's handlers as a simulation calls them: watched, and failing now and then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eventstream.errors import Transient
from eventstream.worker.app import App
from eventstream.worker.arguments import batch_arguments_of
from eventstream.worker.handlers import awaitable_batch_handler, awaitable_handler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from random import Random

    from eventstream.events import Event
    from eventstream.testing.faults import Faults
    from eventstream.testing.kafka import SimulatedKafka
    from eventstream.testing.member import Member
    from eventstream.testing.witness import Witness
    from eventstream.worker.context import Context
    from eventstream.worker.subscription import Subscription

QUICK_S = 0.01


class Injected(Transient):
    """A failure that the simulation caused."""


class WatchedHandlers:
    """Stands between the worker and an app's handlers.

    Args:
        kafka: Says what goes wrong.
        witness: Is told of every attempt.
        member: Finds the member of the process that calls.
        chance: Which events are poison and which keys slow.

    Attributes:
        healed: Whether poison has become edible.
    """

    def __init__(
        self,
        kafka: SimulatedKafka,
        witness: Witness,
        member: Callable[[], Member],
        chance: Random,
    ) -> None:
        self._kafka = kafka
        self._witness = witness
        self._member = member
        self._chance = chance
        self._poison: dict[tuple[str, int, int], bool] = {}
        self._slow: dict[bytes | None, bool] = {}
        self.healed = False

    def of(self, handlers: Iterable[Subscription]) -> App:
        """Give an app with these handlers, watched."""
        watched = App()
        for subscription in handlers:
            watched.add(self._watched(subscription))
        return watched

    def _watched(self, subscription: Subscription) -> Subscription:
        threads: Any = None  # plain functions run in the loop; see `VirtualLoop.run_in_executor`
        if subscription.batch is not None:
            items_of = batch_arguments_of(subscription.handler)
            call_batch = awaitable_batch_handler(subscription.handler, threads)

            async def watched_batch(events: list[Event]) -> Any:
                columns = map(list, zip(*map(items_of, events), strict=True))
                return await self._attempt(events, lambda: call_batch(*columns))

            return replace(subscription, handler=watched_batch)
        contexts: dict[Event, Context] = {}
        call = awaitable_handler(subscription.handler, threads, contexts.__getitem__)

        async def watched(event: Event, context: Context) -> Any:
            contexts[event] = context
            try:
                return await self._attempt([event], lambda: call(event))
            finally:
                del contexts[event]

        return replace(subscription, handler=watched, cpu_bound=False)

    async def _attempt(self, events: list[Event], call: Callable[[], Awaitable[Any]]) -> Any:
        faults = self._kafka.faults
        member = self._member()
        attempts = [self._witness.begin(event, member) for event in events]
        try:
            await asyncio.sleep(max(self._takes_s(event, faults) for event in events))
            self._fail_before(events, faults)
            result = await call()
        except BaseException as error:
            for attempt in attempts:
                self._witness.end(attempt, error)
            raise
        fails_now = self._kafka.happens(faults.failing_after)
        for attempt in attempts:
            attempt.may_repeat = fails_now or result is not None
            self._witness.end(attempt)
        if fails_now:
            raise Injected("The attempt failed after the handler did its work.")
        return result

    def _fail_before(self, events: list[Event], faults: Faults) -> None:
        if any(self._is_poison(event, faults) for event in events):
            raise Injected("The event is poison.")
        if self._kafka.happens(faults.failing):
            raise Injected("The attempt failed before the handler was called.")

    def _takes_s(self, event: Event, faults: Faults) -> float:
        if event.key not in self._slow:
            self._slow[event.key] = self._chance.random() < faults.slow
        return self._chance.random() * (faults.slow_s if self._slow[event.key] else QUICK_S)

    def _is_poison(self, event: Event, faults: Faults) -> bool:
        place = event.topic, event.partition, event.offset
        if place not in self._poison:
            self._poison[place] = self._chance.random() < faults.poison
        return self._poison[place] and not self.healed
