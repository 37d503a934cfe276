"""`eventstream publish`."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

from eventstream.cli.options import with_settings
from eventstream.errors import InvalidSetting
from eventstream.settings import BulkProducerSettings, KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventstream.publisher.report import Report

REFRESH_HZ = 8


@with_settings
def publish(
    topic: Annotated[str, typer.Argument(help="The topic to publish to.")],
    kafka: KafkaSettings,
    sending: BulkProducerSettings,
    file: Annotated[
        str | None, typer.Argument(help="A file with one event a line; - is standard input.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Publish so many generated events instead.")
    ] = None,
    size: Annotated[int, typer.Option(help="Bytes of each generated event's value.")] = 100,
    keys: Annotated[
        int, typer.Option(min=0, help="Different keys of generated events; 0 for none.")
    ] = 0,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Processes that generate; by default as many as are of use."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="One key for all lines.")] = None,
    key_from: Annotated[
        str | None, typer.Option(help="Where each line's JSON has its key: a JSON Pointer.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    r"""Publish many events: from a file, from standard input, or generated.

    Each line is one event's value, as it is. Exits 1 if an event was not acknowledged. Ctrl-C
    stops reading, waits for what was sent, and reports.

    Examples:
      eventstream publish orders orders.ndjson --key-from /customer/id
      tail -f app.log | eventstream publish logs -
      eventstream publish events --count 10000 --size 100 --keys 1000
    """
    from eventstream.publisher import bulk, shares, sources
    from eventstream.publisher.report import summarize

    if (file is None) == (count is None):
        raise InvalidSetting("Name a file (- for standard input), or give --count, and not both.")
    if key is not None and key_from is not None:
        raise InvalidSetting("Give --key or --key-from, not both.")
    with _progress(count) as update:
        if count is not None:
            sources.require_size(size)
            whole = shares.Share(
                topic=topic,
                count=count,
                size=size,
                keys=keys,
                number=0,
                shares=processes or shares.best_number(count, keys),
                kafka=kafka,
                sending=sending,
            )
            parts = shares.split(whole)
            bulk.require_topic(topic, kafka)
            outcomes = shares.publish(parts, update)
        else:
            key_of = sources.key_from(key_from) if key_from else sources.same_key(key)
            with _opened(file or "-") as lines, bulk.Interrupt() as interrupt:
                bulk.require_topic(topic, kafka)
                source = sources.lines(lines, key_of)
                outcomes = [bulk.publish(topic, source, kafka, sending, update, interrupt)]
    report = summarize(topic, outcomes)
    _print(report, as_json=as_json)
    if not report.complete:
        raise typer.Exit(1)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidSetting(f"{name} cannot be read: {reason}.") from None
        yield file


@contextlib.contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>12,.0f} events/s"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        refresh_per_second=REFRESH_HZ,
    ) as bar:
        task = bar.add_task("publish", total=total, rate=0.0)
        started = time.perf_counter()

        def update(acknowledged: int) -> None:
            rate = acknowledged / (time.perf_counter() - started)
            bar.update(task, completed=acknowledged, rate=rate)

        yield update


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(report).decode())
        return
    print(
        f"{report.acknowledged:,} of {report.sent:,} events acknowledged in {report.seconds:.2f} s:"
        f" {report.events_per_second:,.0f} events/s; acknowledgement p50 {report.p50_ms:.1f},"
        f" p99 {report.p99_ms:.1f}, p99.9 {report.p999_ms:.1f} ms; {report.failed:,} failed,"
        f" {report.unknown:,} unknown."
    )
    for reason, number in report.failures.items():
        print(f"{number:,} failed: {reason}", file=sys.stderr)
    if report.unknown:
        print(f"{report.unknown:,} had no answer in time and may be in the log.", file=sys.stderr)
    if report.stopped:
        print(f"Stopped after {report.sent:,} events: {report.stopped}", file=sys.stderr)
