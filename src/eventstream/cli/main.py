"""The `eventstream` command."""

import logging
import sys
from typing import Annotated

import typer

from eventstream.cli import bench, broker, deadletters, groups, keys, schemas, sink, topics
from eventstream.cli.consume import consume
from eventstream.cli.dsn import dsn
from eventstream.cli.gateway import gateway
from eventstream.cli.publish import publish
from eventstream.cli.up import doctor, down, status, up
from eventstream.cli.worker import worker
from eventstream.errors import EventstreamError

app = typer.Typer(
    name="eventstream",
    help="Events in over HTTP, an Apache Kafka log in the middle, parallel handlers out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(status)
app.command()(down)
app.command()(dsn)
app.command()(doctor)
app.command()(gateway)
app.command()(worker)
app.command()(publish)
app.command()(consume)
app.add_typer(sink.app, name="sink")
app.add_typer(broker.app, name="broker")
app.add_typer(topics.app, name="topics")
app.add_typer(groups.app, name="groups")
app.add_typer(keys.app, name="keys")
app.add_typer(schemas.app, name="schemas")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        from eventstream import __version__

        print(f"eventstream {__version__}")
        raise typer.Exit


@app.callback()
def eventstream(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Events in over HTTP, an Apache Kafka log in the middle, parallel handlers out."""


def run() -> None:
    """Run the command line; an error of ours is one sentence on standard error and exit 1.

    What the Kafka client says along the way is for commands that keep a log.
    """
    logging.getLogger("eventstream").addHandler(logging.NullHandler())
    try:
        app()
    except EventstreamError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
