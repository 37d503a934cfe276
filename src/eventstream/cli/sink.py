"""`eventstream sink`: topics into databases, each event once."""

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from eventstream.cli.options import with_settings
from eventstream.errors import InvalidSetting
from eventstream.settings import (
    HomeSettings,
    KafkaSettings,
    LogSettings,
    StoreSettings,
    WorkerSettings,
)

if TYPE_CHECKING:
    from eventstream.worker.sink_apps import SinkApp

app = typer.Typer(no_args_is_help=True, help="Write topics into databases, each event once.")


@app.callback()
def sink() -> None:
    """Write topics into databases, each event once; see docs/sinks.md."""


@app.command()
@with_settings
def postgres(
    topic: Annotated[str, typer.Option(help="The topic.")],
    table: Annotated[str, typer.Option(help="The table, as orders or schema.orders.")],
    settings: WorkerSettings,
    stores: StoreSettings,
    kafka: KafkaSettings,
    home: HomeSettings,
    logs: LogSettings,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=SOURCE, once for each column: a JSON pointer into the event"
            " (/customer/name), key, value, headers, headers.NAME, timestamp, topic, partition or"
            " offset. If none is given, each column without a default gets the member of its name."
        ),
    ] = None,
    mode: Annotated[
        Literal["insert", "upsert", "append"],
        typer.Option(
            help="insert leaves rows alone that are there; upsert updates the row of the same"
            " primary key, and a tombstone deletes it; append writes every event."
        ),
    ] = "insert",
    create: Annotated[
        bool, typer.Option("--create", help="Make the table if it is not there.")
    ] = False,
    on_failure: Annotated[
        Literal["deadletter", "stop"],
        typer.Option(help="What happens to an event that can never be a row."),
    ] = "deadletter",
) -> None:
    r"""Write a topic into a table of PostgreSQL: rows and position in one transaction.

    The position is kept in the database, by consumer group: TABLE-sink unless --group names
    another. Without --postgres-dsn the local server of `eventstream up --with postgres` is used.

    Examples:
      eventstream sink postgres --topic orders --table orders
      eventstream sink postgres --topic orders --table orders --create \
        --column part=partition --column place=offset --column event=value
      eventstream sink postgres --topic orders --table orders \
        --column id=/id --column customer=/customer/name --column event=value
      eventstream sink postgres --topic customers --table customers --mode upsert --processes 2
    """
    from eventstream.local.stores import address_of
    from eventstream.worker.sink_apps import TableApp

    columns = dict(_column(given) for given in column or ())
    sink = TableApp(topic, table, columns, mode, create, on_failure)
    sink.make()
    os.environ["EVENTSTREAM_POSTGRES_DSN"] = address_of("postgres", home, stores)
    _run(sink, f"{table}-sink", settings, kafka, home, logs)


@app.command()
@with_settings
def redis(
    topic: Annotated[str, typer.Option(help="The topic.")],
    command: Annotated[
        list[str],
        typer.Option(
            help="What an event does, as redis-cli writes it, with places of the event in braces:"
            " {key}, {value}, {offset}, or a JSON pointer as {/customer/name}. Once or more."
        ),
    ],
    settings: WorkerSettings,
    stores: StoreSettings,
    kafka: KafkaSettings,
    home: HomeSettings,
    logs: LogSettings,
    key_tag: Annotated[
        str, typer.Option(help="In a cluster, what every key has in braces.")
    ] = "eventstream",
    on_failure: Annotated[
        Literal["deadletter", "stop"],
        typer.Option(help="What happens to an event that can never be written."),
    ] = "deadletter",
) -> None:
    r"""Write a topic into Redis or Valkey: commands and position in one step.

    The position is kept there, by consumer group: TOPIC-redis-sink unless --group names another.
    Without --redis-url the local server of `eventstream up --with redis` is used.

    Examples:
      eventstream sink redis --topic orders --command 'set order:{/id} {value}'
      eventstream sink redis --topic orders --command 'hincrby revenue {/currency} {/cents}' \
        --command 'xadd recent maxlen ~ 1000 * event {value}'
    """
    from eventstream.local.stores import address_of
    from eventstream.worker.sink_apps import RedisApp

    sink = RedisApp(topic, command, key_tag, on_failure)
    sink.make()
    os.environ["EVENTSTREAM_REDIS_URL"] = address_of("redis", home, stores)
    _run(sink, f"{topic}-redis-sink", settings, kafka, home, logs)


def _run(
    sink: "SinkApp",
    group: str,
    settings: WorkerSettings,
    kafka: KafkaSettings,
    home: HomeSettings,
    logs: LogSettings,
) -> NoReturn:
    """Run a sink's processes; `group` is its group if the user named none."""
    from eventstream.observe.logs import configure_logging
    from eventstream.worker.process import Job, leave_lingering_threads
    from eventstream.worker.serving import serve

    if settings.group == WorkerSettings().group:
        settings = dataclasses.replace(settings, group=group)
    configure_logging(logs)
    status = serve(Job(sink, settings, kafka, home, logs))
    leave_lingering_threads(status)
    raise typer.Exit(status)


def _column(given: str) -> tuple[str, str]:
    name, separator, source = given.partition("=")
    if not (name and separator and source):
        raise InvalidSetting(f"--column {given!r} is not NAME=SOURCE; write it as amount=/amount.")
    return name, source
