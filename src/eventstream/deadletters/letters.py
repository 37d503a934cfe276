"""The record of a dead letter: the event as it was, and headers that tell what happened to it.

The headers are those of Spring for Apache Kafka (`KafkaHeaders`, those that begin with
`kafka_dlt-`), so its tools read our dead letters and ours read its: numbers are big-endian, an int
of four bytes for partitions and a long of eight for offsets and timestamps; the rest is UTF-8. One
more of our own says how many attempts there were.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import msgspec

from eventstream.events import Event

if TYPE_CHECKING:
    from eventstream.events import Headers

DEADLETTER_SUFFIX = ".deadletter"
_PREFIX = "kafka_dlt-"
_ATTEMPTS = "eventstream-attempts"
_MOST_MESSAGE_BYTES = 1024
_MOST_STACK_BYTES = 8192
HEADER_BYTES = 16_384
"""The most that the headers add to a record."""


class Failure(msgspec.Struct, frozen=True):
    """Why an event was given up.

    Attributes:
        error: The name of the exception's class, with its module.
        message: What the exception said.
        stack: The traceback, its last part if it is long.
        attempts: How many attempts there were.
    """

    error: str
    message: str
    stack: str
    attempts: int

    @classmethod
    def of(cls, error: BaseException, attempts: int) -> Failure:
        """Describe an exception."""
        kind = type(error)
        stack = "".join(traceback.format_exception(error))
        return cls(
            f"{kind.__module__}.{kind.__qualname__}",
            _first(str(error), _MOST_MESSAGE_BYTES),
            _last(stack, _MOST_STACK_BYTES),
            attempts,
        )


class Letter(msgspec.Struct, frozen=True):
    """An event that was given up, or that had to follow one that was.

    Attributes:
        group: The consumer group that could not handle it.
        event: The event with the place and the time it had in its own topic.
        failure: Why it was given up; `None` where it only followed another event of its key.
    """

    group: str
    event: Event
    failure: Failure | None

    @property
    def place(self) -> tuple[int, int]:
        """The partition and offset that the event had in its own topic: the letter's identity."""
        return self.event.partition, self.event.offset


def headers_of(event: Event, group: str, failure: Failure | None) -> Headers:
    """Write the headers of a dead letter; the event's own come first."""
    told: list[tuple[str, bytes]] = [
        ("original-topic", event.topic.encode()),
        ("original-partition", event.partition.to_bytes(4, signed=True)),
        ("original-offset", event.offset.to_bytes(8, signed=True)),
        ("original-timestamp", event.timestamp_ms.to_bytes(8, signed=True)),
        ("original-consumer-group", group.encode()),
    ]
    if failure is not None:
        told += [
            ("exception-fqcn", failure.error.encode()),
            ("exception-message", failure.message.encode()),
            ("exception-stacktrace", failure.stack.encode()),
        ]
    ours = [(_PREFIX + name, value) for name, value in told]
    if failure is not None:
        ours.append((_ATTEMPTS, b"%d" % failure.attempts))
    kept = [header for header in event.headers if not _is_ours(header[0])]
    return (*kept, *ours)


def letter_of(record: Event) -> Letter:
    """Read a dead letter.

    Raises:
        ValueError: The record lacks the headers that say where it comes from.
    """
    found = {name: value or b"" for name, value in record.headers if _is_ours(name)}

    def told(name: str) -> bytes:
        return found[_PREFIX + name]

    try:
        event = Event(
            told("original-topic").decode(),
            record.value,
            record.key,
            tuple(header for header in record.headers if not _is_ours(header[0])),
            int.from_bytes(told("original-partition"), signed=True),
            int.from_bytes(told("original-offset"), signed=True),
            int.from_bytes(told("original-timestamp"), signed=True),
        )
        group = told("original-consumer-group").decode()
    except KeyError as error:
        raise ValueError(f"{record!r} has no header {error.args[0]}") from None
    if _PREFIX + "exception-fqcn" not in found:
        return Letter(group, event, None)
    failure = Failure(
        told("exception-fqcn").decode(errors="replace"),
        found.get(_PREFIX + "exception-message", b"").decode(errors="replace"),
        found.get(_PREFIX + "exception-stacktrace", b"").decode(errors="replace"),
        int(found.get(_ATTEMPTS, b"0")),
    )
    return Letter(group, event, failure)


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX) or name == _ATTEMPTS


def _first(text: str, most_bytes: int) -> str:
    return text.encode(errors="replace")[:most_bytes].decode(errors="ignore")


def _last(text: str, most_bytes: int) -> str:
    return text.encode(errors="replace")[-most_bytes:].decode(errors="ignore")
