"""A consumer that reads partitions it is told of, as a member of no group."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from eventstream.errors import InvalidSetting
from eventstream.log.denial import AskingConsumer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.settings import KafkaSettings

_NOTHING: Mapping[str, object] = MappingProxyType({})
_OF_GROUPS = frozenset(
    {
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.protocol.type",
        "group.remote.assignor",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "partition.assignment.strategy",
        "session.timeout.ms",
    }
)


def connect_reader(kafka: KafkaSettings, more: Mapping[str, object] = _NOTHING) -> AskingConsumer:
    """Make a consumer that commits nothing and tells where partitions end.

    Options that are for members of groups are left out: they may not go together with the defaults
    of a reader.

    Args:
        kafka: How to reach Kafka.
        more: Options of this reader, as librdkafka spells them; they win over all others.

    Raises:
        InvalidSetting: The client refuses an option.
    """
    given = kafka.client_options()
    options: dict[str, object] = {
        **{name: value for name, value in given.items() if name not in _OF_GROUPS},
        "group.id": "eventstream-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "log.connection.close": False,
        **more,
    }
    try:
        return AskingConsumer(options)
    except KafkaException as error:
        reason = error.args[0].str()
        raise InvalidSetting(f"The Kafka consumer refuses its options: {reason}.") from None
