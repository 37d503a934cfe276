"""One terminal panel: what runs where, and how fast."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eventstream.observe import metrics
from eventstream.observe.exposition import WRITE_INTERVAL_S, machine_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.local.stack import Service, Stack


MOST_LINES = 10


class Rates:
    """Events a second, from the counters all processes of this machine write.

    Args:
        folder: Where they write them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before: dict[str, float] = {}
        self._at_s = -math.inf
        self.per_second: dict[str, float] = {}

    def update(self) -> None:
        """Look at the counters again, every other time they are written."""
        now_s = time.monotonic()
        if now_s < self._at_s + 2 * WRITE_INTERVAL_S:
            return
        totals = {metrics.EVENTS.name: 0.0, metrics.HANDLED.name: 0.0}
        if self._folder.is_dir():
            for sample in machine_samples(self._folder):
                if sample.metric == metrics.HANDLED.name or sample.labels == ("acknowledged",):
                    totals[sample.metric] += sample.value
        if self._before:
            passed_s = now_s - self._at_s
            self.per_second = {
                name: max(0.0, total - self._before[name]) / passed_s
                for name, total in totals.items()
            }
        self._before, self._at_s = totals, now_s


class LogTail:
    """New whole lines of a program's log."""

    def __init__(self, service: Service) -> None:
        self.name = service.name
        self._file = Path(service.log).open("rb")  # noqa: SIM115 - closed with the panel
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Give the lines that came since the last look; of a flood, the last ones."""
        self._rest += self._file.read()
        *whole, self._rest = self._rest.split(b"\n")
        if len(whole) > MOST_LINES:
            yield f"... {len(whole) - MOST_LINES:,} more lines in {self._file.name}"
        for line in whole[-MOST_LINES:]:
            yield readable(line)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def readable(line: bytes) -> str:
    """Turn a JSON log line into one for people; any other line stays as it is."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return line.decode(errors="replace")
    event, level = fields.pop("event", ""), fields.pop("level", "info")
    clock = str(fields.pop("timestamp", ""))[11:19]
    fields.pop("logger", None)
    rest = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{clock} {'' if level == 'info' else level + ': '}{event} {rest}".strip()


def draw(stack: Stack, rates: Rates) -> Group:
    """Draw the panel as it is now."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "where", "pid", "state"):
        table.add_column(name)
    table.add_column("events/s", justify="right")
    table.add_row("kafka", stack.state.kafka, "", Text("ready", style="green"), "")
    for store in stack.state.stores:
        pid = "" if store.process is None else str(store.process.pid)
        style = "red" if store.state == "ended" else "green"
        table.add_row(store.name, store.where, pid, Text(store.state, style=style), "")
    units = {"gateway": metrics.EVENTS.name, "worker": metrics.HANDLED.name}
    for service in stack.state.services:
        alive = service.process.running is not None
        table.add_row(
            service.name,
            service.where,
            str(service.process.pid),
            Text("ready", style="green") if alive else Text("ended", style="red"),
            f"{rates.per_second.get(units[service.name], 0.0):,.0f}",
        )
    return Group("", table, Text("Ctrl-C stops all.", style="dim"))
