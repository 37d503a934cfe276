"""Every option, declared once.

A group is a frozen dataclass; a field carries its default, its help, its unit and its bounds. From
that one declaration come the command line's option (`--linger-ms`), the environment variable
(`EVENTSTREAM_LINGER_MS`), the check of the value and the table in docs/settings.md. The command
line wins over the environment, the environment over the default.
"""

from __future__ import annotations

from typing import Any

from eventstream.settings.gateway import (
    AccessSettings,
    GatewaySettings,
    IdempotencySettings,
    KeyFileSettings,
    SchemaSettings,
    TailingSettings,
)
from eventstream.settings.kafka import (
    BulkProducerSettings,
    KafkaSettings,
    ProducerSettings,
    broker_addresses,
)
from eventstream.settings.local import BrokerSettings, HomeSettings, LogSettings, StoreSettings
from eventstream.settings.options import ENV_PREFIX, Option, from_environment, options_of, parse
from eventstream.settings.worker import WorkerSettings

__all__ = [
    "ENV_PREFIX",
    "GROUPS",
    "AccessSettings",
    "BrokerSettings",
    "BulkProducerSettings",
    "GatewaySettings",
    "HomeSettings",
    "IdempotencySettings",
    "KafkaSettings",
    "KeyFileSettings",
    "LogSettings",
    "Option",
    "ProducerSettings",
    "SchemaSettings",
    "StoreSettings",
    "TailingSettings",
    "WorkerSettings",
    "broker_addresses",
    "from_environment",
    "options_of",
    "parse",
]

GROUPS: tuple[type[Any], ...] = (
    KafkaSettings,
    ProducerSettings,
    BulkProducerSettings,
    GatewaySettings,
    KeyFileSettings,
    AccessSettings,
    IdempotencySettings,
    TailingSettings,
    SchemaSettings,
    WorkerSettings,
    LogSettings,
    HomeSettings,
    StoreSettings,
    BrokerSettings,
)
"""Every settings group, in the order the documentation lists them."""
