"""A handler, the topic it is for, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from eventstream.errors import InvalidSetting
from eventstream.worker.arguments import arguments_of, batch_arguments_of
from eventstream.worker.handlers import is_async
from eventstream.worker.lanes import Order
from eventstream.worker.retry import Retry
from eventstream.worker.sink_keeper import SinkKeeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.events import Event
    from eventstream.sinks.contract import Keeper, Ledger, LedgerSettings, SinkSettings
    from eventstream.worker.arguments import Given

    Handler = Callable[..., Any]

OnFailure = Literal["deadletter", "park", "stop"]


@dataclass(frozen=True, slots=True)
class Batch:
    """How events are collected for a handler of batches.

    Attributes:
        size: The most events of a batch.
        within_s: How long its first event waits for others, in seconds.
        concurrency: How many batches a process handles at once.
    """

    size: int
    within_s: float
    concurrency: int


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
        batch: How its events are collected; `None` for a handler of single events.
        adaptive: Whether `concurrency` is the most, and less is allowed where more is of no use.
        ledger: Which database keeps what is done, together with the handler's own statements.

    Raises:
        InvalidSetting: The parts do not go together, or the function cannot be called with what
            there is.
    """

    topic: str
    handler: Handler
    concurrency: int
    order: Order
    timeout_s: float | None = None
    retry: Retry = field(default_factory=Retry)
    on_failure: OnFailure = "deadletter"
    cpu_bound: bool = False
    batch: Batch | None = None
    adaptive: bool = False
    ledger: LedgerSettings | None = None

    def __post_init__(self) -> None:
        if self.batch is not None and self.adaptive:
            self._refuse("batches wait for each other, so adaptive does not go with them")
        if self.batch is not None:
            self._check_batch(self.batch)
        else:
            arguments_of(self.handler, given=self.given(lambda _: None))
        self._check_ledger()
        if self.concurrency < 1:
            self._refuse(f"concurrency is {self.concurrency}, but the least it can be is 1")
        for name, choices in (("order", get_args(Order)), ("on_failure", get_args(OnFailure))):
            if getattr(self, name) not in choices:
                self._refuse(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}"
                )
        if self.on_failure == "park" and self.order != "key":
            self._refuse("on_failure='park' parks keys, so order must be 'key'")
        if self.timeout_s is not None and self.timeout_s <= 0:
            self._refuse(f"timeout_s is {self.timeout_s}; it must be above 0")
        if self.cpu_bound and is_async(self.handler):
            self._refuse(
                "an async function waits, it does not compute; make the handler a plain function,"
                " or leave cpu_bound out"
            )
        if self.timeout_s is not None and not is_async(self.handler):
            self._refuse(
                "a plain function runs in a thread, which cannot be cancelled; make the handler"
                " async, or leave timeout_s out"
            )

    def _check_ledger(self) -> None:
        if self.ledger is not None and (self.batch is not None or not is_async(self.handler)):
            self._refuse("a ledger goes with an async handler of single events")

    @property
    def is_placed(self) -> bool:
        """Whether its position is kept elsewhere than in Kafka."""
        return self.ledger is not None

    def keeper(
        self, group: str, on_void: Callable[[], None], chance: Callable[[], float]
    ) -> Ledger | None:
        """Make what keeps its positions, in one process; `None` where Kafka does."""
        return None if self.ledger is None else self.ledger.connect(group, on_void, chance)

    def given(self, transaction_of: Callable[[Event], Any]) -> Given:
        """Say what the handler gets besides the event and its data.

        Args:
            transaction_of: Returns the transaction that an event is handled in.
        """
        return {} if self.ledger is None else {self.ledger.transaction: transaction_of}

    def _check_batch(self, batch: Batch) -> None:
        if batch.concurrency < 1:
            self._refuse(f"concurrency is {batch.concurrency}, but the least it can be is 1")
        if batch.size < 1:
            self._refuse(f"size is {batch.size}, but the least it can be is 1")
        if batch.within_s < 0:
            self._refuse(f"within_s is {batch.within_s}; it cannot be below 0")
        if self.order == "partition":
            self._refuse("events of a batch run at once, so order must be 'key' or 'none'")
        batch_arguments_of(self.handler)

    def _refuse(self, why: str) -> None:
        raise InvalidSetting(f"Topic {self.topic!r}: {why}.")


@dataclass(frozen=True, slots=True)
class SinkSubscription:
    """A sink and the topic it is for.

    Attributes:
        topic: The topic's name.
        sink: Where its events are written.
        on_failure: What happens to an event that can never be written.
        retry: A sink says itself what passes: no event is tried twice.
        concurrency: How many letters are written again at once.
        timeout_s: None.

    Raises:
        InvalidSetting: `on_failure` is none of a sink's.
    """

    topic: str
    sink: SinkSettings
    on_failure: OnFailure = "deadletter"
    retry: Retry = field(default_factory=lambda: Retry(attempts=1))
    concurrency: int = 1
    timeout_s: None = None
    is_placed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.on_failure not in {"deadletter", "stop"}:
            raise InvalidSetting(
                f"Topic {self.topic!r}: on_failure is {self.on_failure!r}; a sink takes deadletter"
                " or stop."
            )

    def keeper(
        self,
        group: str,
        on_void: Callable[[], None],
        chance: Callable[[], float],  # noqa: ARG002 - ledgers draw from it
    ) -> Keeper:
        """Make what keeps its positions, in one process: the sink."""
        return SinkKeeper(self.sink.connect(on_void), group, self.topic)


AnySubscription = Subscription | SinkSubscription
