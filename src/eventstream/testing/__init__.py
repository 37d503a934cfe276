"""Runs an app in memory, with virtual time, through whatever may go wrong.

```python
import pytest

from eventstream.testing import keyed_events, simulate
from shop import app


@pytest.mark.parametrize("seed", range(100))
def test_orders_survive_anything(seed):
    simulate(app, keyed_events("orders", 200), seed=seed)
```

Processes of a worker come and go, are killed and stand still; partitions move; commits and records
fail; handlers fail, before and after their work; keys are slow; offsets have gaps; retention
deletes. The worker's code is the real one; Kafka, time and processes are simulated. So a run takes
a moment, and a seed always does the same.

What is checked: events of a lane run one after the other and in order; none is lost; none comes
again once the group has it on record, or while nobody died; parked keys stay in order; in the end
all letters are replayed and everything stops well.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from eventstream.events import Event
from eventstream.testing.faults import Faults
from eventstream.testing.simulation import Outcome, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.worker.app import App

__all__ = ["Faults", "Outcome", "SimulationFailed", "keyed_events", "simulate"]

_TOLD_LINES = 40
_KEYLESS = 20  # one event in so many


class SimulationFailed(AssertionError):
    """Something happened that must not, or the program raised; the message names the seed."""


def simulate(
    app: App, events: Iterable[Event], *, seed: int, faults: Faults | None = None
) -> Outcome:
    """Run an app through a simulated half minute of faults, and on until all is handled.

    Args:
        app: The handlers; they are called for real, so let them write to memory. They may sleep
            with asyncio; what asks the operating system for time or I/O is not simulated.
        events: What is published: topic, value, key and headers of each.
        seed: Decides everything that is left to chance; the same seed does the same.
        faults: What goes wrong; drawn by the seed when left out.

    Raises:
        SimulationFailed: With the seed, and what happened last.
    """
    with capture_logs() as logs:
        simulation = Simulation(app, events, seed, faults)
        try:
            return simulation.run()
        except Exception as error:
            lines = [*simulation.witness.trace, "The log's end:", *map(str, logs[-8:])]
            told = "\n  ".join(lines[-_TOLD_LINES:])
            raise SimulationFailed(
                f"Seed {seed}: {error}\nIt does the same again with seed={seed}."
                f" What happened last:\n  {told}"
            ) from error


def keyed_events(topic: str, count: int, keys: int = 20, seed: int = 0) -> list[Event]:
    """Make small JSON events, most of them of few keys, some without one."""
    chance = Random(seed)
    names = [f"key-{number}".encode() for number in range(keys)]
    weights = list(accumulate(1 / (number + 1) for number in range(keys)))
    return [
        Event(
            topic,
            b'{"number": %d}' % number,
            chance.choices(names, cum_weights=weights)[0] if chance.randrange(_KEYLESS) else None,
        )
        for number in range(count)
    ]
