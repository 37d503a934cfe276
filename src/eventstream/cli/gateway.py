"""`eventstream gateway`."""

import typer

from eventstream.cli.options import with_settings
from eventstream.settings import (
    GatewaySettings,
    HomeSettings,
    KafkaSettings,
    LogSettings,
    ProducerSettings,
)


@with_settings
def gateway(
    settings: GatewaySettings,
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
      curl -X POST http://localhost:8080/publish -H 'Content-Type: application/json' \
        -d '{"message": "Hello, Kafka!"}'
    """
    from eventstream.gateway.server import Gateway
    from eventstream.gateway.serving import serve

    raise typer.Exit(serve(Gateway(settings, kafka, sending, home, logs)))
