"""Waiting for a replay, with a progress bar for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eventstream.deadletters.marks import mark_of

if TYPE_CHECKING:
    from eventstream.deadletters.inbox import Entry
    from eventstream.log.tail import Tail


class Outcome(NamedTuple):
    """How many letters were handled, or discarded meanwhile, and how many failed again."""

    replayed: int
    failed: int


def wait_for_replay(marks: Tail, entries: list[Entry]) -> Outcome:
    """Wait until letters that were asked for are replayed, or failed again.

    Args:
        marks: Reads marks from before the replay was asked for.
        entries: The letters.

    Raises:
        EventstreamError: Kafka refuses.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    waiting = {(entry.letter.group, *entry.letter.place) for entry in entries}
    replayed = failed = 0
    columns = TextColumn("replaying"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(waiting))
        for records in marks.batches():
            for record in records:
                mark = mark_of(record)
                if mark is None or mark.kind == "replay":
                    continue
                told = {(mark.group, record.partition, offset) for offset in mark.offsets}
                failed += len(waiting & told) if mark.kind == "failed" else 0
                replayed += len(waiting & told) if mark.kind != "failed" else 0
                waiting -= told
            progress.update(bar, completed=replayed + failed)
            if not waiting:
                break
    return Outcome(replayed, failed)
