"""Events as they come from Kafka."""

from __future__ import annotations

from itertools import groupby, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Message

from eventstream.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eventstream.events import Headers

# The client's types allow None, for messages that carry an error; those do not get here.
_value: Callable[[Message], bytes | None] = Message.value
_key: Callable[[Message], bytes | None] = Message.key
_topic: Callable[[Message], str] = Message.topic  # type: ignore[assignment]
_partition: Callable[[Message], int] = Message.partition  # type: ignore[assignment]
_offset: Callable[[Message], int] = Message.offset  # type: ignore[assignment]


class Received(Event, eq=False, gc=False):
    """An event read from Kafka; its headers and timestamp are read when asked for.

    Attributes:
        finish: Takes its offset out of its run's unfinished ones; raises `KeyError` the second
            time. It is called per event: the dict's own method costs half of one that calls it.
        batch: The number of the batch it came in: lower is older, in whichever partition.
        behind: The worker's: the event that waits for this one; `None` where none does.
    """

    _message: Any = None
    finish: Any = None
    batch: int = 0
    behind: Any = None

    # Fields of every event, but here read only when asked for: mypy knows no such override.

    @property  # type: ignore[misc]
    def headers(self) -> Headers:  # type: ignore[override]
        """Names and values in record order."""
        headers: Headers = tuple(self._message.headers() or ())
        return headers

    @property  # type: ignore[misc]
    def timestamp_ms(self) -> int:  # type: ignore[override]
        """Milliseconds since the epoch, as the record says."""
        timestamp: int = self._message.timestamp()[1]
        return timestamp


class Run(NamedTuple):
    """Consecutive events of one partition; at least one.

    Attributes:
        topic: The topic's name.
        partition: The partition.
        events: The events, in offset order.
        unfinished: The offsets of those that are not finished, in order, and the bytes of their
            values.
        size: The bytes of all values.
    """

    topic: str
    partition: int
    events: Sequence[Received]
    unfinished: dict[int, int]
    size: int


def runs_of(
    messages: Sequence[Message], only_topic: str | None = None, batch: int = 0
) -> Iterator[Run]:
    """Cut a batch, as the client returns it, into runs of one partition.

    The order of events within a partition is kept.

    Args:
        messages: What the client returned, without errors.
        only_topic: The topic of all of them, where there is but one.
        batch: The batch's number.
    """
    if only_topic is None:
        for topic, of_topic in groupby(messages, _topic):
            yield from runs_of(list(of_topic), topic, batch)
        return
    start = 0
    for partition, same in groupby(map(_partition, messages)):
        end = start + len(list(same))
        run = messages[start:end]
        start = end
        offsets = list(map(_offset, run))
        unfinished = dict(zip(offsets, map(len, run), strict=True))
        events = list(
            map(
                Received,
                repeat(only_topic),
                map(_value, run),
                map(_key, run),
                repeat(()),
                repeat(partition),
                offsets,
                repeat(0),
                run,
                repeat(unfinished.pop),
                repeat(batch),
            )
        )
        yield Run(only_topic, partition, events, unfinished, sum(unfinished.values()))
