"""Which event may run now.

Events of a lane run one after the other, lanes beside each other. What a lane is depends on the
order a handler asks for: one per key, one per partition, or none. The head of a lane alone may run:
until it is done, or given up with its partition, the lane's later events wait, also while the head
itself waits for another attempt.

The three kinds of lanes share one contract:

- `ready`: events that may run now, oldest about first. Take from the left, or with `take()`, which
  raises `IndexError` when there is none.
- `add(partition, events)`: line up events of one partition, in offset order.
- `done(event)`: a taken event is finished; the next one of its lane becomes ready.
- `retry_later(event)` and `ready_again(event)`: a taken event waits for another attempt; its lane
  waits with it. Or `let_go(event)`: it waits no more, and is finished.
- `hold(hold)`: have something other than an event run alone in a lane, after what waits there; it
  is reported `done` as an event is. And `take_behind(event)`: take what waits behind a taken event
  or a hold out of its lane.
- `revoke(partition)`: forget the partition's events. Those taken before are nobody's: they must not
  be reported done.

The next event of a lane goes before the ready ones that came in a later batch. So a lane that lags
is served without a pause, and what is finished stays close to what is not: events that many others
overtook are few, and a commit has little to tell of them.

A lane is a chain: each event knows the one `behind` it, and the lane its last one. So most lanes,
which never hold a second event, cost one entry of a dict, and nobody owns a queue per key.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Order = Literal["key", "partition", "none"]


class Laned(Protocol):
    """What stands in a lane."""

    key: bytes | None
    partition: int
    batch: int  # of two, the one with the lower number came first
    behind: Any  # None while no later event of its lane waits


Item = TypeVar("Item", bound=Laned)


class Hold:
    """Something that runs alone in a lane, without a slot: `begin` is called when its turn is."""

    __slots__ = ("begin", "behind", "key", "partition")

    def __init__(self, partition: int, key: bytes | None, begin: Callable[[], None]) -> None:
        self.partition = partition
        self.key = key
        self.begin = begin
        self.behind: Any = None


class NoLanes(Generic[Item]):
    """No order: every event may run at once."""

    __slots__ = ("_retrying", "ready", "take")

    def __init__(self) -> None:
        self.ready: deque[Item] = deque()
        self.take = self.ready.popleft
        self._retrying: set[Item] = set()

    def add(self, partition: int, events: Sequence[Item]) -> None:  # noqa: ARG002 - the contract
        """Make events ready."""
        self.ready.extend(events)

    def done(self, event: Item | Hold) -> None:
        """Finish a taken event."""

    def hold(self, hold: Hold) -> None:
        """Let it begin: it stands in nobody's way."""
        hold.begin()

    def take_behind(self, event: Item | Hold) -> list[Item]:  # noqa: ARG002 - the contract
        """Take what waits behind a taken event: nothing does."""
        return []

    def _go_on_behind(self, event: Item | Hold) -> None:
        """Let what waits behind a finished event have its turn: before what came later than it."""
        behind, event.behind = event.behind, None
        ready = self.ready
        if type(behind) is Hold:
            behind.begin()
        elif ready and ready[0].batch < behind.batch:
            ready.append(behind)
        else:
            ready.appendleft(behind)

    def retry_later(self, event: Item) -> None:
        """Keep a taken event, and its lane, until `ready_again`."""
        self._retrying.add(event)

    def ready_again(self, event: Item) -> None:
        """Let an event that waited run again, unless its partition was revoked meanwhile."""
        if event in self._retrying:
            self._retrying.remove(event)
            self.ready.append(event)

    def let_go(self, event: Item) -> None:
        """Finish an event that waited, unless its partition was revoked meanwhile."""
        if event in self._retrying:
            self._retrying.remove(event)
            self.done(event)

    def waits(self, event: Item) -> bool:
        """Whether an event waits for another attempt or for its end, and was not revoked."""
        return event in self._retrying

    def revoke(self, partition: int) -> None:
        """Forget a partition's events."""
        kept = [event for event in self.ready if event.partition != partition]
        self.ready.clear()
        self.ready.extend(kept)
        self._retrying = {event for event in self._retrying if event.partition != partition}


class PartitionLanes(NoLanes[Item]):
    """One lane per partition."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[int, Item | Hold] = {}

    def add(self, partition: int, events: Sequence[Item]) -> None:
        """Line up events of one partition, in offset order."""
        for event in events:
            last = self._last.get(partition)
            self._last[partition] = event
            if last is None:
                self.ready.append(event)
            else:
                last.behind = event

    def done(self, event: Item | Hold) -> None:
        """Finish a taken event; the next of its partition becomes ready."""
        if event.behind is None:
            del self._last[event.partition]
        else:
            self._go_on_behind(event)

    def hold(self, hold: Hold) -> None:
        """Let it begin when all that is in the lane by now is finished."""
        last = self._last.get(hold.partition)
        self._last[hold.partition] = hold
        if last is None:
            hold.begin()
        else:
            last.behind = hold

    def take_behind(self, event: Item | Hold) -> list[Item]:
        """Take what waits behind a taken event out of its lane."""
        self._last[event.partition] = event
        return _cut_behind(event)

    def revoke(self, partition: int) -> None:
        """Forget a partition's lane."""
        self._last.pop(partition, None)
        super().revoke(partition)


class KeyLanes(NoLanes[Item]):
    """One lane per partition and key; events without a key have no order."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[int, dict[bytes, Item | Hold]] = {}

    def add(self, partition: int, events: Sequence[Item]) -> None:
        """Line up events of one partition, in offset order."""
        last_of = self._last.setdefault(partition, {})
        find = last_of.get
        ready = self.ready.append
        for event in events:
            key = event.key
            if key is None:
                ready(event)
                continue
            last = find(key)
            last_of[key] = event
            if last is None:
                ready(event)
            else:
                last.behind = event

    def done(self, event: Item | Hold) -> None:
        """Finish a taken event; the next of its key becomes ready."""
        if event.behind is not None:
            self._go_on_behind(event)
        elif event.key is not None:
            del self._last[event.partition][event.key]

    def hold(self, hold: Hold) -> None:
        """Let it begin when all that is in the lane by now is finished."""
        last_of = self._last.setdefault(hold.partition, {})
        last = None if hold.key is None else last_of.get(hold.key)
        if hold.key is not None:
            last_of[hold.key] = hold
        if last is None:
            hold.begin()
        else:
            last.behind = hold

    def take_behind(self, event: Item | Hold) -> list[Item]:
        """Take what waits behind a taken event out of its lane."""
        if event.key is not None:
            self._last[event.partition][event.key] = event
        return _cut_behind(event)

    def revoke(self, partition: int) -> None:
        """Forget a partition's lanes."""
        self._last.pop(partition, None)
        super().revoke(partition)


def _cut_behind(event: Item | Hold) -> list[Item]:
    taken = []
    behind, event.behind = event.behind, None
    while behind is not None:
        taken.append(behind)
        behind.behind, behind = None, behind.behind
    return taken


def lanes_for(order: Order) -> NoLanes[Item]:
    """Make the lanes for the order a handler asks for."""
    if order == "key":
        return KeyLanes()
    if order == "partition":
        return PartitionLanes()
    return NoLanes()
