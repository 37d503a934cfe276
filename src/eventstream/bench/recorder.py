"""The handler that measurements end in: it notes when each event reached it.

Run as `eventstream worker eventstream.bench.recorder:app`; `EVENTSTREAM_BENCH_TOPIC` names the
topic and `EVENTSTREAM_BENCH_RECORD` the file that is written when the process ends.
"""

from __future__ import annotations

import atexit
import os
from array import array
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING

from eventstream.bench.workload import read_value
from eventstream.worker.app import App

if TYPE_CHECKING:
    from eventstream.events import Event

FIELDS = ("numbers", "latencies_ns", "partitions", "offsets")

app = App()
numbers, latencies_ns, partitions, offsets = (array("q") for _ in FIELDS)
keys: list[bytes | None] = []


@app.on(os.environ.get("EVENTSTREAM_BENCH_TOPIC", "bench"), order="key")
async def record(event: Event) -> None:
    """Note an event: its number, its age, its place and its key."""
    number, intended_ns = read_value(event.value or b"")
    latencies_ns.append(monotonic_ns() - intended_ns)
    numbers.append(number)
    partitions.append(event.partition)
    offsets.append(event.offset)
    keys.append(event.key)


@atexit.register
def _write() -> None:
    target = os.environ.get("EVENTSTREAM_BENCH_RECORD")
    if target and numbers:
        columns = [numbers, latencies_ns, partitions, offsets, array("q", map(hash, keys))]
        with Path(f"{target}.{os.getpid()}").open("wb") as file:
            file.write(len(numbers).to_bytes(8, "little"))
            for column in columns:
                column.tofile(file)


class Records:
    """What one worker process noted, in the order it handled the events."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            count = int.from_bytes(file.read(8), "little")
            columns = [array("q") for _ in range(5)]
            for column in columns:
                column.fromfile(file, count)
        self.numbers, self.latencies_ns, self.partitions, self.offsets, self.keys = columns

    def out_of_order(self) -> int:
        """Count events handled after a later one of the same key and partition."""
        newest: dict[tuple[int, int], int] = {}
        count = 0
        for key, partition, offset in zip(self.keys, self.partitions, self.offsets, strict=True):
            lane = key, partition
            before = newest.get(lane, -1)
            if offset < before:
                count += 1
            else:
                newest[lane] = offset
        return count
