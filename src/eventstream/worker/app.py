"""Handlers and the topics they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from eventstream.errors import InvalidSetting
from eventstream.worker.retry import Retry
from eventstream.worker.subscription import Batch, SinkSubscription, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.sinks.contract import LedgerSettings, SinkSettings
    from eventstream.worker.lanes import Order
    from eventstream.worker.subscription import AnySubscription, Handler, OnFailure

AnyHandler = TypeVar("AnyHandler", bound="Handler")


class App:
    """Handlers, each for the events of a topic.

    ```python
    app = App()


    class Order(msgspec.Struct):
        id: int
        items: list[str]


    @app.on("orders")
    async def ship(order: Order, event: Event) -> None:
        ...
    ```

    A parameter annotated with `Event`, or not at all, gets the event; `Context` says which attempt
    it is; `bytes` gets the value; any other annotation gets the value decoded from JSON: msgspec
    Structs, dataclasses, TypedDicts, NamedTuples, lists and dicts of them, and pydantic's models.
    `None` among a parameter's types lets tombstones in.

    A handler may return an `Event`, or a list of them: they are published, and acknowledged by all
    in-sync replicas, before its own event counts as done.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, AnySubscription] = {}

    @property
    def subscriptions(self) -> tuple[AnySubscription, ...]:
        """The handlers, in the order they were declared."""
        return tuple(self._subscriptions.values())

    def on(
        self,
        topic: str,
        *,
        concurrency: int = 64,
        order: Order = "key",
        timeout_s: float | None = None,
        retry: Retry | None = None,
        on_failure: OnFailure = "deadletter",
        cpu_bound: bool = False,
        adaptive: bool = False,
        ledger: LedgerSettings | None = None,
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Declare the decorated function as the handler of a topic's events.

        An event is done when its handler returns. When it raises, the event is tried again later;
        events of other keys go on meanwhile.

        Args:
            topic: The topic's name.
            concurrency: How many events a process handles at once.
            order: `key` runs events of one key one after the other, keys beside each other, and
                events without a key in any order; `partition` runs a partition's events one after
                the other; `none` runs any event at any time.
            timeout_s: How long one attempt may take, in seconds, before it is cancelled and counts
                as failed. For async handlers only: a thread cannot be cancelled, and the event
                must not be tried again while it still runs.
            retry: How often, and how long, a failing event is tried; ten times if left out.
            on_failure: What happens to an event when it is tried no more. `deadletter` moves it to
                the topic's dead letters, `<topic>.deadletter`, and its key goes on; `park` moves
                it there too, and the key's later events to `<topic>.parked`, in order, until
                somebody replays or discards them; `stop` ends the worker, so that somebody looks:
                the event is not done and comes again.
            cpu_bound: For plain functions that compute: run them in a pool of processes, as many as
                there are processors. The processes import the function by its module and name.
            adaptive: Let fewer handlers run at once where more would only make each take longer:
                from 8 on the number is raised and lowered, up to `concurrency`, by how long calls
                take.
            ledger: A database, `Postgres()` say, in whose transactions the handler runs: it takes
                the transaction as a parameter (`tx: AsyncConnection`), and what it does there
                commits together with the note that its event is done. So each event has its
                effects once, and the position comes from there, not from Kafka's commit.

        Raises:
            InvalidSetting: The topic has a handler already, an argument is out of bounds, or the
                function cannot be called with what there is.
        """
        return self._declare(
            lambda handler: Subscription(
                topic,
                handler,
                concurrency,
                order,
                timeout_s,
                retry or Retry(),
                on_failure,
                cpu_bound,
                adaptive=adaptive,
                ledger=ledger,
            )
        )

    def batch(
        self,
        topic: str,
        *,
        size: int = 100,
        within_s: float = 0.1,
        concurrency: int = 1,
        order: Order = "key",
        timeout_s: float | None = None,
        retry: Retry | None = None,
        on_failure: OnFailure = "deadletter",
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Declare the decorated function as the handler of batches of a topic's events.

        Its parameters are lists: of events, or of what their annotation asks for
        (`orders: list[Order]`), one item for each event. When it raises, the batch is tried again
        at once, event by event; those that raise then are tried again later, in other batches.

        Args:
            topic: The topic's name.
            size: The most events of a batch.
            within_s: How long a batch waits for more events after its first, in seconds.
            concurrency: How many batches a process handles at once.
            order: `key` has at most one event of each key in the batches that run, in the order of
                the key; `none` takes events as they come.
            timeout_s: How long one call may take, in seconds; as in `on`.
            retry: How often, and how long, a failing event is tried; as in `on`.
            on_failure: What happens to an event when it is tried no more; as in `on`.

        Raises:
            InvalidSetting: The topic has a handler already, an argument is out of bounds, or the
                function cannot be called with what there is.
        """
        batch = Batch(size, within_s, concurrency)
        return self._declare(
            lambda handler: Subscription(
                topic,
                handler,
                size * concurrency,
                order,
                timeout_s,
                retry or Retry(),
                on_failure,
                batch=batch,
            )
        )

    def sink(self, topic: str, sink: SinkSettings, *, on_failure: OnFailure = "deadletter") -> None:
        """Write a topic's events into a database, each once.

        Args:
            topic: The topic's name.
            sink: Where they go.
            on_failure: What happens to an event that can never be written: `deadletter` or `stop`,
                as in `on`.

        Raises:
            InvalidSetting: The topic has a handler already, or `on_failure` is none of these.
        """
        self.add(SinkSubscription(topic, sink, on_failure))

    def add(self, subscription: AnySubscription) -> None:
        """Add a handler, or a sink.

        Raises:
            InvalidSetting: The topic has one already.
        """
        if subscription.topic in self._subscriptions:
            raise InvalidSetting(
                f"Topic {subscription.topic!r} has a handler already; call both from one function."
            )
        self._subscriptions[subscription.topic] = subscription

    def _declare(
        self, subscribe: Callable[[Handler], Subscription]
    ) -> Callable[[AnyHandler], AnyHandler]:
        def declare(handler: AnyHandler) -> AnyHandler:
            self.add(subscribe(handler))
            return handler

        return declare
