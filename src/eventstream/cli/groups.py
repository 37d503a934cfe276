"""`eventstream groups`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.errors import InvalidSetting
from eventstream.settings import KafkaSettings

app = typer.Typer(help="Consumer groups: list, describe, reset.", no_args_is_help=True)

Group = Annotated[str, typer.Argument(help="The group's name.")]


@app.command("list")
@with_settings
def list_groups(kafka: KafkaSettings, as_json: Json = False) -> None:
    """List consumer groups and the state each is in.

    Example:
      eventstream groups list
    """
    from eventstream.log.group_admin import GroupAdmin

    groups = GroupAdmin(kafka).groups()
    if as_json:
        print_json(groups)
        return
    for name, state in groups.items():
        print(f"{name}  {state}")


@app.command()
@with_settings
def describe(kafka: KafkaSettings, group: Group, as_json: Json = False) -> None:
    """Show how far a group is: its lag in events and in seconds, by partition.

    The lag in seconds is the age of the next event the group has to handle.

    Example:
      eventstream groups describe shop
    """
    from rich.console import Console
    from rich.table import Table

    from eventstream.log.group_admin import GroupAdmin

    found = GroupAdmin(kafka).describe(group)
    if as_json:
        print_json(found)
        return
    print(f"{found.group}: {found.state}, {len(found.members)} members")
    table = Table("topic", "partition", "committed", "end", "lag", "lag, s", "owner")
    for one in found.partitions:
        age = "?" if one.lag_s is None else f"{one.lag_s:,.1f}"
        numbers = (f"{number:,}" for number in (one.committed, one.end, one.lag))
        table.add_row(one.topic, str(one.partition), *numbers, age, one.owner)
    Console().print(table)


@app.command()
@with_settings
def reset(
    kafka: KafkaSettings,
    group: Group,
    topic: Annotated[str, typer.Option(help="The topic to move the group in.")],
    to: Annotated[
        str | None,
        typer.Option(
            help="Where to: earliest, latest, how long ago (90s, 15m, 2h, 7d), or an ISO 8601 time."
        ),
    ] = None,
    to_offset: Annotated[
        int | None,
        typer.Option(min=0, help="Where to: an offset, brought into what each partition has."),
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move a group to another position in a topic, back or forth.

    Refused while the group has members: stop them first.

    Examples:
      eventstream groups reset shop --topic orders --to earliest --dry-run
      eventstream groups reset shop --topic orders --to 2h
      eventstream groups reset shop --topic orders --partition 3 --to-offset 1200
    """
    from eventstream.log.group_admin import GroupAdmin
    from eventstream.log.start import parse_start

    if (to is None) == (to_offset is None):
        raise InvalidSetting("Give --to or --to-offset, and not both.")
    target = to_offset if to is None else parse_start(to, time.time_ns() // 1_000_000)
    admin = GroupAdmin(kafka)
    moves = admin.moves(group, topic, target if target is not None else 0, partition)
    if not dry_run:
        admin.reset(group, moves)
    if as_json:
        print_json(moves)
        return
    for move in moves:
        before = "no position" if move.committed < 0 else f"{move.committed:,}"
        print(f"{move.topic}/{move.partition}: {before} -> {move.target:,}")
    if dry_run:
        print("Nothing was changed.")
