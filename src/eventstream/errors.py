"""The error tree.

Every error of ours is a sentence for a person: what happened, to which thing, what to do. Vendor
errors are translated into these where they enter, so nothing above `log/` or `local/` ever sees a
`KafkaError` or an `OSError` it has to interpret.

Two branches carry the meaning that retry policies need: `Transient` may succeed when tried again as
it is, `Permanent` will not. Handlers may raise them too.
"""


class EventstreamError(Exception):
    """Root of every error of ours; `str(error)` is one sentence for a person."""


class Transient(EventstreamError):
    """The same attempt may succeed later."""


class Permanent(EventstreamError):
    """The same attempt will fail again: something has to change first."""


class KafkaUnavailable(Transient):
    """No broker answered in time, or the partition has no leader or too few in-sync replicas."""


class QueueFull(Transient):
    """The producer's queue is at its bound; try again once it has drained."""


class OutcomeUnknown(Transient):
    """The event was handed to Kafka and no answer came back: it may or may not be in the log."""


class HandlerTimedOut(Transient):
    """A handler did not end within its time, and was cancelled."""


class TopicNotFound(Permanent):
    """The topic does not exist."""


class PartitionNotFound(Permanent):
    """The topic exists, but not the partition."""


class GroupNotFound(Permanent):
    """No consumer group of that name has members or commits."""


class GroupInUse(Permanent):
    """The consumer group has members, which hold positions of their own."""


class RecordTooLarge(Permanent):
    """The record is larger than the topic or the client allows."""


class NotAuthorized(Permanent):
    """Kafka refused the operation to these credentials."""


class InvalidEvent(Permanent):
    """The event cannot be written as it is."""


class InvalidSchema(Permanent):
    """A text is not a JSON Schema that events can be checked with."""


class InvalidSetting(Permanent):
    """A setting has a value it cannot have."""


class LocalServerError(Permanent):
    """A local server cannot start, stop or be found."""
