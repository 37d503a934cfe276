"""The client that asks and changes a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from eventstream.errors import InvalidSetting
from eventstream.log.denial import AskingAdmin

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings


def connect_admin(kafka: KafkaSettings) -> AskingAdmin:
    """Make an admin client.

    Raises:
        InvalidSetting: The client refuses an option.
    """
    options: dict[str, str | int | float | bool] = {
        **kafka.client_options(),
        "log.connection.close": False,
    }
    try:
        return AskingAdmin(options)
    except KafkaException as error:
        reason = error.args[0].str()
        raise InvalidSetting(f"The Kafka client refuses its options: {reason}.") from None
