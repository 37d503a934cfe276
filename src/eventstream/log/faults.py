"""What Kafka's error codes mean to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from eventstream.errors import (
    EventstreamError,
    InvalidEvent,
    KafkaUnavailable,
    NotAuthorized,
    OutcomeUnknown,
    PartitionNotFound,
    Permanent,
    QueueFull,
    RecordTooLarge,
    TopicNotFound,
    Transient,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNKNOWN_OUTCOME = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TIMED_OUT,
        KafkaError._PURGE_INFLIGHT,
        KafkaError.DUPLICATE_SEQUENCE_NUMBER,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    }
)
_NAME_TAKEN = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str().removeprefix("Broker: ")
_MEANING: Mapping[int, type[EventstreamError]] = {
    KafkaError._QUEUE_FULL: QueueFull,
    KafkaError._UNKNOWN_TOPIC: TopicNotFound,
    KafkaError.UNKNOWN_TOPIC_OR_PART: TopicNotFound,
    KafkaError.TOPIC_EXCEPTION: TopicNotFound,
    KafkaError._UNKNOWN_PARTITION: PartitionNotFound,
    KafkaError.MSG_SIZE_TOO_LARGE: RecordTooLarge,
    KafkaError.RECORD_LIST_TOO_LARGE: RecordTooLarge,
    KafkaError.INVALID_RECORD: InvalidEvent,
    KafkaError.INVALID_TIMESTAMP: InvalidEvent,
    KafkaError._INVALID_DIFFERENT_RECORD: KafkaUnavailable,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: NotAuthorized,
    KafkaError.GROUP_AUTHORIZATION_FAILED: NotAuthorized,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: NotAuthorized,
    KafkaError.SASL_AUTHENTICATION_FAILED: NotAuthorized,
    KafkaError._AUTHENTICATION: NotAuthorized,
    KafkaError._SSL: NotAuthorized,
    KafkaError._ALL_BROKERS_DOWN: KafkaUnavailable,
    KafkaError._TRANSPORT: KafkaUnavailable,
    KafkaError._RESOLVE: KafkaUnavailable,
    KafkaError.NOT_ENOUGH_REPLICAS: KafkaUnavailable,
    KafkaError.LEADER_NOT_AVAILABLE: KafkaUnavailable,
    KafkaError._PURGE_QUEUE: KafkaUnavailable,
}
_OF_CLIENT = "({reason}); check what --kafka-option and --kafka-options-file say."
_BY_CODE: Mapping[int, str] = {
    KafkaError.INVALID_TIMESTAMP: (
        "{about}: the event's time lies further before or after now than the topic takes"
        " (message.timestamp.before.max.ms and message.timestamp.after.max.ms); give another."
    ),
    KafkaError._INVALID_DIFFERENT_RECORD: (
        "{about}: the event is not at fault, but Kafka refused another one that was sent with it;"
        " send it again."
    ),
    KafkaError._AUTHENTICATION: f"Kafka refused the credentials {_OF_CLIENT}",
    KafkaError.SASL_AUTHENTICATION_FAILED: f"Kafka refused the credentials {_OF_CLIENT}",
    KafkaError._SSL: f"Kafka and this program could not agree on TLS {_OF_CLIENT}",
}
_BY_KIND: Mapping[type[EventstreamError], str] = {
    TopicNotFound: "{about} does not exist; create it, or check the name.",
    OutcomeUnknown: (
        "{about}: no acknowledgement came in time ({reason}); the event may be in the log."
    ),
    KafkaUnavailable: "{about}: Kafka is not available now ({reason}); try again.",
    RecordTooLarge: "{about}: the record is larger than the topic allows ({reason}).",
}
_OTHERWISE = "{about}: {reason}."


def translate(
    error: KafkaError, topic: str = "", *, was_sent: bool = False, is_of_now: bool = False
) -> EventstreamError:
    """Turn a Kafka client's error into one of ours.

    Args:
        error: What the client reported.
        topic: The topic it is about, for the sentence.
        was_sent: The event had been handed to the client, so a time-out says nothing about
            whether it is in the log.
        is_of_now: The event's time is that of its sending. Kafka refuses a whole batch for the time
            of one event in it, and this one is then not at fault.
    """
    if is_of_now and error.code() == KafkaError.INVALID_TIMESTAMP:
        error = KafkaError(KafkaError._INVALID_DIFFERENT_RECORD)
    code = error.code()
    kind: type[EventstreamError]
    if was_sent and code in _UNKNOWN_OUTCOME:
        kind = OutcomeUnknown
    elif code in _UNKNOWN_OUTCOME:
        kind = KafkaUnavailable
    else:
        kind = _MEANING.get(code) or (Transient if error.retriable() else Permanent)
    return kind(_sentence(kind, error, topic))


def _sentence(kind: type[EventstreamError], error: KafkaError, topic: str) -> str:
    about = f"Topic {topic!r}" if topic else "Kafka"
    reason = error.str().removeprefix("Broker: ").removeprefix("Local: ").rstrip(".")
    if _NAME_TAKEN in reason:
        return (
            f"{about}: the group has a member with this process's instance_id, which lives or has"
            " just died; start none beside it, or wait until its session times out (45 s)."
        )
    sentence = _BY_CODE.get(error.code()) or _BY_KIND.get(kind, _OTHERWISE)
    return sentence.format(about=about, reason=reason)
