"""All that a gateway is started with."""

from __future__ import annotations

import msgspec

from eventstream.settings import (
    AccessSettings,
    GatewaySettings,
    HomeSettings,
    IdempotencySettings,
    KafkaSettings,
    LogSettings,
    ProducerSettings,
    SchemaSettings,
    TailingSettings,
)


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a gateway, which each of its processes is given.

    Attributes:
        settings: The gateway's own.
        access: Who may write, and what protects the way.
        idempotency: Where idempotency keys are kept.
        schemas: What events must look like.
        tailing: How events are streamed to clients.
        kafka: How to reach Kafka.
        sending: How to send.
        home: Where this machine's processes leave their metrics.
        logs: What is logged.
    """

    settings: GatewaySettings
    access: AccessSettings
    idempotency: IdempotencySettings
    schemas: SchemaSettings
    tailing: TailingSettings
    kafka: KafkaSettings
    sending: ProducerSettings
    home: HomeSettings
    logs: LogSettings
