"""Handlers and the topics they are for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from eventstream.errors import InvalidSetting
from eventstream.worker.arguments import arguments_of
from eventstream.worker.handlers import is_async
from eventstream.worker.lanes import Order
from eventstream.worker.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[..., Any]

OnFailure = Literal["deadletter", "park", "stop"]
AnyHandler = TypeVar("AnyHandler", bound="Handler")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A handler and the topic it is for.

    Attributes:
        topic: The topic's name.
        handler: Called for each event; `async`, or a plain function that runs in a thread.
        concurrency: How many events a process handles at once.
        order: Which events run one after the other: those of one key, of one partition, or none.
        timeout_s: How long one attempt may take, in seconds; `None` is no limit.
        retry: How often, and how long, a failing event is tried.
        on_failure: What happens when it is tried no more.
        cpu_bound: Whether it computes, and runs in processes of its own.
    """

    topic: str
    handler: Handler
    concurrency: int
    order: Order
    timeout_s: float | None = None
    retry: Retry = field(default_factory=Retry)
    on_failure: OnFailure = "deadletter"
    cpu_bound: bool = False


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

    A parameter annotated with `Event`, or not at all, gets the event; `bytes` gets its value; any
    other annotation gets the value decoded from JSON: msgspec Structs, dataclasses, TypedDicts,
    NamedTuples, lists and dicts of them, and pydantic's models. `None` among a parameter's types
    lets tombstones in.

    A handler may return an `Event`, or a list of them: they are published, and acknowledged by all
    in-sync replicas, before its own event counts as done.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
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

        Raises:
            InvalidSetting: The topic has a handler already, an argument is out of bounds, or the
                function cannot be called with what there is.
        """
        if concurrency < 1:
            raise InvalidSetting(
                f"Topic {topic!r}: concurrency is {concurrency}, but the least it can be is 1."
            )
        if order not in get_args(Order):
            raise InvalidSetting(
                f"Topic {topic!r}: order is {order!r}; choose one of {', '.join(get_args(Order))}."
            )

        if on_failure not in get_args(OnFailure):
            choices = ", ".join(get_args(OnFailure))
            raise InvalidSetting(
                f"Topic {topic!r}: on_failure is {on_failure!r}; choose one of {choices}."
            )
        if on_failure == "park" and order != "key":
            raise InvalidSetting(
                f"Topic {topic!r}: on_failure='park' parks keys, so order must be 'key'."
            )
        if timeout_s is not None and timeout_s <= 0:
            raise InvalidSetting(f"Topic {topic!r}: timeout_s is {timeout_s}; it must be above 0.")

        def declare(handler: AnyHandler) -> AnyHandler:
            if topic in self._subscriptions:
                raise InvalidSetting(
                    f"Topic {topic!r} has a handler already; call both from one function."
                )
            arguments_of(handler)
            if cpu_bound and is_async(handler):
                raise InvalidSetting(
                    f"Topic {topic!r}: an async function waits, it does not compute; make the"
                    " handler a plain function, or leave cpu_bound out."
                )
            if timeout_s is not None and not is_async(handler):
                raise InvalidSetting(
                    f"Topic {topic!r}: a plain function runs in a thread, which cannot be"
                    " cancelled; make the handler async, or leave timeout_s out."
                )
            self._subscriptions[topic] = Subscription(
                topic,
                handler,
                concurrency,
                order,
                timeout_s,
                retry or Retry(),
                on_failure,
                cpu_bound,
            )
            return handler

        return declare
