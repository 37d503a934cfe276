"""`eventstream deadletters`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from eventstream.cli.letters import described, error_of, place, published, readable
from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.errors import InvalidSetting
from eventstream.settings import KafkaSettings

if TYPE_CHECKING:
    from eventstream.deadletters.inbox import Entry, Inbox
    from eventstream.deadletters.selection import Filter

app = typer.Typer(
    help="Events that no attempt could handle: list, show, replay, discard.", no_args_is_help=True
)

Topic = Annotated[str, typer.Argument(help="The topic the events were published to.")]
Group = Annotated[str | None, typer.Option(help="Only those this consumer group gave up.")]
Key = Annotated[str | None, typer.Option(help="Only those with this key.")]
Error = Annotated[
    str | None, typer.Option(help="Only those whose error's name or message contains this text.")
]
At = Annotated[str | None, typer.Option(help="Only this one: PARTITION/OFFSET of the event.")]
Since = Annotated[
    str | None,
    typer.Option(
        help="Only events published since then: how long ago (90s, 15m, 2h, 7d), or an ISO 8601"
        " time."
    ),
]
Until = Annotated[str | None, typer.Option(help="Only events published before then.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")
]


@app.command("list")
@with_settings
def list_letters(
    kafka: KafkaSettings,
    topic: Topic,
    group: Group = None,
    key: Key = None,
    error: Error = None,
    at: At = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """List what waits for somebody: dead letters, and the events parked behind them.

    Examples:
      eventstream deadletters list orders
      eventstream deadletters list orders --group shop --error TimeoutError --since 2h
    """
    from rich.console import Console
    from rich.table import Table

    from eventstream.deadletters.selection import select

    inbox = _read(kafka, topic)
    entries = select(inbox, _filter(group, key, error, at, since, until))
    if as_json:
        print_json([described(entry) for entry in entries])
        return
    if not entries:
        print(f"Topic {topic!r} has no such letters.")
        return
    table = Table("event", "key", "published", "group", "state", "attempts", "error")
    for entry in entries:
        failure = entry.letter.failure
        table.add_row(
            place(entry),
            readable(entry.letter.event.key),
            published(entry),
            entry.letter.group,
            entry.state,
            str(failure.attempts) if failure else "",
            error_of(entry),
        )
    Console(soft_wrap=True).print(table)


@app.command()
@with_settings
def show(
    kafka: KafkaSettings,
    topic: Topic,
    at: Annotated[str, typer.Argument(help="PARTITION/OFFSET of the event.")],
    group: Group = None,
    as_json: Json = False,
) -> None:
    """Show a letter with all it has: value, headers, and the stack of the last attempt.

    Example:
      eventstream deadletters show orders 3/1042
    """
    inbox = _read(kafka, topic)
    wanted = _filter(group, None, None, at, None, None)
    entries = [entry for entry in inbox.entries.values() if wanted.takes(entry)]
    if not entries:
        raise InvalidSetting(f"Topic {topic!r} has no letter of {at}; `deadletters list` has all.")
    if as_json:
        print_json([described(entry, whole=True) for entry in entries])
        return
    for entry in entries:
        event, failure = entry.letter.event, entry.letter.failure
        print(f"event      {topic} {place(entry)}, published {published(entry)}")
        print(f"group      {entry.letter.group}")
        print(f"state      {entry.state}" + (f"; last replay: {entry.why}" if entry.why else ""))
        print(f"key        {readable(event.key)}")
        for name, value in event.headers:
            print(f"header     {name}: {readable(value)}")
        print(f"value      {readable(event.value)}")
        if failure is not None:
            print(f"attempts   {failure.attempts}")
            print(f"error      {failure.error}: {failure.message}\n\n{failure.stack}")


@app.command()
@with_settings
def replay(
    kafka: KafkaSettings,
    topic: Topic,
    group: Group = None,
    key: Key = None,
    error: Error = None,
    at: At = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    wait: Annotated[bool, typer.Option(help="Wait until the workers have handled them.")] = True,
    as_json: Json = False,
) -> None:
    """Have the group's workers handle letters again, in the order of their keys.

    A parked key is replayed as a whole; then it is parked no more, and its new events follow. What
    fails again stays. Ctrl-C ends the waiting, not the replay; asked again, it goes on.

    Exits 1 when some failed again.

    Examples:
      eventstream deadletters replay orders --dry-run
      eventstream deadletters replay orders --group shop --key customer-17
      eventstream deadletters replay orders --error TimeoutError --no-wait
    """
    from eventstream.cli.replaying import wait_for_replay
    from eventstream.deadletters.marks import PARKED_SUFFIX
    from eventstream.deadletters.selection import records_of, select
    from eventstream.log.start import Start
    from eventstream.log.tail import Tail
    from eventstream.log.write import write

    wanted = _filter(group, key, error, at, since, until)
    entries = select(_read(kafka, topic), wanted, whole_keys=True)
    if dry_run or not entries:
        _tell(entries, "would be replayed", as_json=as_json)
        return
    _make_marks_topic(kafka, topic)
    with Tail(kafka, topic + PARKED_SUFFIX, Start("latest")) as marks:
        write(kafka, records_of("replay", topic, entries))
        if not (wait and _workers_run(kafka, entries)):
            _tell(entries, "to be replayed", as_json=as_json)
            return
        outcome = wait_for_replay(marks, entries)
    if as_json:
        print_json({"replayed": outcome.replayed, "failed": outcome.failed})
    else:
        print(f"{outcome.replayed:,} replayed, {outcome.failed:,} failed again.")
    if outcome.failed:
        raise typer.Exit(1)


@app.command()
@with_settings
def discard(
    kafka: KafkaSettings,
    topic: Topic,
    group: Group = None,
    key: Key = None,
    error: Error = None,
    at: At = None,
    since: Since = None,
    until: Until = None,
    every: Annotated[bool, typer.Option("--all", help="All of the topic's letters.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Say of letters that nobody will handle them. A key none of whose letters is left goes on.

    Examples:
      eventstream deadletters discard orders --at 3/1042
      eventstream deadletters discard orders --error InvalidEvent --dry-run
    """
    from eventstream.deadletters.selection import Filter, records_of, select
    from eventstream.log.write import write

    wanted = _filter(group, key, error, at, since, until)
    if wanted == Filter() and not every:
        raise InvalidSetting("Say which letters to discard, or --all.")
    entries = select(_read(kafka, topic), wanted)
    if not dry_run and entries:
        _make_marks_topic(kafka, topic)
        write(kafka, records_of("discarded", topic, entries))
    _tell(entries, "would be discarded" if dry_run else "discarded", as_json=as_json)


def _read(kafka: KafkaSettings, topic: str) -> Inbox:
    from rich.console import Console

    from eventstream.deadletters.inbox import read_inbox

    console = Console(stderr=True)
    if not console.is_terminal:
        return read_inbox(kafka, topic)
    with console.status("Reading the letters ...") as status:
        return read_inbox(kafka, topic, lambda read: status.update(f"{read:,} letters read ..."))


def _filter(
    group: str | None,
    key: str | None,
    error: str | None,
    at: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    from eventstream.deadletters.selection import Filter

    where = None
    if at is not None:
        partition, _, offset = at.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise InvalidSetting(f"{at!r} is no place of an event; write PARTITION/OFFSET: 3/1042.")
        where = int(partition), int(offset)
    encoded = None if key is None else key.encode()
    return Filter(group, encoded, error, where, _time_ms(since), _time_ms(until))


def _time_ms(text: str | None) -> int | None:
    from eventstream.log.start import parse_start

    if text is None:
        return None
    start = parse_start(text, time.time_ns() // 1_000_000)
    if start.at != "time":
        raise InvalidSetting(f"{text!r} is no time; say how long ago, or an ISO 8601 time.")
    return start.timestamp_ms


def _make_marks_topic(kafka: KafkaSettings, topic: str) -> None:
    from eventstream.deadletters.letters import HEADER_BYTES
    from eventstream.deadletters.marks import PARKED_SUFFIX
    from eventstream.log.companions import make_companion

    make_companion(kafka, topic + PARKED_SUFFIX, topic, HEADER_BYTES)


def _workers_run(kafka: KafkaSettings, entries: list[Entry]) -> bool:
    """Whether the groups have members; say which have none."""
    from eventstream.log.group_admin import GroupAdmin

    states = GroupAdmin(kafka).groups()
    idle = {
        group
        for group in {entry.letter.group for entry in entries}
        if states.get(group, "empty") in {"empty", "dead"}
    }
    for group in sorted(idle):
        print(
            f"No worker of group {group!r} runs; the replay begins when one does.", file=sys.stderr
        )
    return not idle


def _tell(entries: list[Entry], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json([described(entry) for entry in entries])
        return
    for entry in entries:
        print(f"{place(entry)}  {readable(entry.letter.event.key)}  {error_of(entry)}")
    letters = "letter" if len(entries) == 1 else "letters"
    print(f"{len(entries):,} {letters} {what}.")
