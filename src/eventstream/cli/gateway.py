"""`eventstream gateway`."""

import typer

from eventstream.cli.options import with_settings
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


@with_settings
def gateway(
    settings: GatewaySettings,
    access: AccessSettings,
    idempotency: IdempotencySettings,
    schemas: SchemaSettings,
    tailing: TailingSettings,
    kafka: KafkaSettings,
    sending: ProducerSettings,
    home: HomeSettings,
    logs: LogSettings,
) -> None:
    r"""Serve HTTP: events in, receipts out.

    Stops on SIGTERM or Ctrl-C once every request it took is answered. On SIGHUP several processes
    are restarted one after the other; one that is alone stops.

    Examples:
      eventstream gateway
      eventstream gateway --workers 4 --port 9000 --bootstrap-servers kafka-1:9092,kafka-2:9092
      eventstream gateway --host 0.0.0.0 --keys-file keys.json --tls-cert tls.pem --tls-key key.pem
      curl -X POST http://localhost:8080/publish -H 'Content-Type: application/json' \
        -d '{"message": "Hello, Kafka!"}'
    """
    from eventstream.gateway.config import Gateway
    from eventstream.gateway.serving import serve

    started_with = Gateway(
        settings=settings,
        access=access,
        idempotency=idempotency,
        schemas=schemas,
        tailing=tailing,
        kafka=kafka,
        sending=sending,
        home=home,
        logs=logs,
    )
    raise typer.Exit(serve(started_with))
