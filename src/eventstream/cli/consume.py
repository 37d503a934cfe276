"""`eventstream consume`."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import shown_data
from eventstream.settings import KafkaSettings

if TYPE_CHECKING:
    from eventstream.log.received import Received


@with_settings
def consume(
    kafka: KafkaSettings,
    topic: Annotated[str, typer.Argument(help="The topic to read.")],
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="Where to start: latest, earliest, how long ago (90s, 15m, 2h, 7d), or an ISO"
            " 8601 time.",
        ),
    ] = "latest",
    key: Annotated[str | None, typer.Option(help="Only events with this key.")] = None,
    contains: Annotated[
        str | None, typer.Option(help="Only events whose value contains this text.")
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many events.")] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop after the last event there is now.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, for scripts.")
    ] = False,
) -> None:
    """Show a topic's events as they come; Ctrl-C ends it. No group, nothing is committed.

    With --json a value that is JSON stands there as it is, other text as a string; what is neither
    is in base64 under value_base64, and likewise for keys and headers.

    Examples:
      eventstream consume orders
      eventstream consume orders --from 15m --key c-17
      eventstream consume orders --from earliest --until-end --json | jq .value.total
    """
    from eventstream.log.start import parse_start
    from eventstream.log.tail import Tail

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    place = parse_start(start, time.time_ns() // 1_000_000)
    wanted_key = None if key is None else key.encode()
    wanted_text = (contains or "").encode()
    shown = 0
    with Tail(kafka, topic, place, partition) as tail:
        for events in tail.batches(until_end=until_end):
            for event in events:
                if key is not None and event.key != wanted_key:
                    continue
                if contains is not None and wanted_text not in (event.value or b""):
                    continue
                print(_as_json(event) if as_json else _as_text(event))
                shown += 1
                if shown == count:
                    return
            if not events:
                print(end="", flush=True)


def _as_text(event: Received) -> str:
    moment = datetime.fromtimestamp(event.timestamp_ms / 1000, UTC)
    key = "-" if event.key is None else _readable(event.key)
    value = "(tombstone)" if event.value is None else _readable(event.value)
    return (
        f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {event.partition}/{event.offset} {key} {value}"
    )


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _as_json(event: Received) -> str:
    headers: list[dict[str, Any]] = [
        {"name": name, **shown_data("value", value)} for name, value in event.headers
    ]
    entry = {
        "topic": event.topic,
        "partition": event.partition,
        "offset": event.offset,
        "timestamp_ms": event.timestamp_ms,
        **shown_data("key", event.key),
        "headers": headers,
        **shown_data("value", event.value, may_be_json=True),
    }
    return msgspec.json.encode(entry).decode()
