"""`eventstream topics`."""

from __future__ import annotations

from typing import Annotated

import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.errors import InvalidSetting
from eventstream.settings import KafkaSettings

app = typer.Typer(help="Topics: list, create, describe, delete.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The topic's name.")]


@app.command("list")
@with_settings
def list_topics(kafka: KafkaSettings, as_json: Json = False) -> None:
    """List topics and how many partitions each has; Kafka's internal ones are left out.

    Example:
      eventstream topics list --json
    """
    from eventstream.log.admin import Admin

    topics = Admin(kafka).topics()
    if as_json:
        print_json(topics)
        return
    for name, partitions in topics.items():
        print(f"{name}  {_counted(partitions, 'partition')}")


@app.command()
@with_settings
def create(
    kafka: KafkaSettings,
    topic: Name,
    partitions: Annotated[int, typer.Option(min=1, help="How many partitions.")] = 1,
    replication: Annotated[
        int, typer.Option(min=-1, help="Copies of each partition; -1 is the cluster's default.")
    ] = -1,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="A setting of the topic's own, name=value as Kafka spells it; repeat."),
    ] = None,
) -> None:
    """Create a topic and wait until every partition has a leader.

    Examples:
      eventstream topics create orders --partitions 12
      eventstream topics create accounts --setting cleanup.policy=compact --replication 3
    """
    from eventstream.log.admin import Admin

    settings = {}
    for pair in setting or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise InvalidSetting(f"--setting {pair!r} is not name=value: retention.ms=86400000.")
        settings[name] = value
    Admin(kafka).create_topic(topic, partitions, replication, settings)
    print(f"Topic {topic!r} is there, with {_counted(partitions, 'partition')}.")


@app.command()
@with_settings
def describe(kafka: KafkaSettings, topic: Name, as_json: Json = False) -> None:
    """Show a topic's partitions, their leaders, replicas and offsets, and its own settings.

    Example:
      eventstream topics describe orders
    """
    from rich.console import Console
    from rich.table import Table

    from eventstream.log.describe import describe_topic

    found = describe_topic(kafka, topic)
    if as_json:
        print_json(found)
        return
    table = Table("partition", "leader", "replicas", "in sync", "oldest", "end")
    for one in found.partitions:
        table.add_row(
            str(one.partition),
            str(one.leader) if one.leader >= 0 else "none",
            _shown(one.replicas),
            _shown(one.in_sync),
            *(f"{offset:,}" if offset >= 0 else "?" for offset in (one.oldest, one.end)),
        )
    Console().print(table)
    for name, value in sorted(found.settings.items()):
        print(f"{name}={value}")


@app.command()
@with_settings
def delete(
    kafka: KafkaSettings,
    topic: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a topic with all its events.

    Asks first; `--yes` is for scripts.

    Example:
      eventstream topics delete orders --yes
    """
    from eventstream.log.admin import Admin
    from eventstream.log.describe import describe_topic

    found = describe_topic(kafka, topic)
    events = sum(one.end - one.oldest for one in found.partitions)
    if not yes:
        typer.confirm(f"Delete {topic!r} with up to {_counted(events, 'event')}?", abort=True)
    Admin(kafka).delete_topic(topic)
    print(f"Topic {topic!r} is deleted.")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(brokers: list[int]) -> str:
    return ", ".join(map(str, brokers))
