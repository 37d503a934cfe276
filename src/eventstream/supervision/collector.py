"""The cyclic collector of a process that lives long and handles millions of events."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 50_000


def calm_collector() -> None:
    """Keep the cyclic collector from looking at the same objects again and again.

    Millions of events come and go without cycles: what is here by now stays out of its sight, and
    young objects may be many before it looks.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
