"""What a worker takes from the machine it runs on."""

from __future__ import annotations

import random
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Machine(NamedTuple):
    """Time and chance; a simulation brings its own.

    Attributes:
        clock: Tells seconds since some moment; never goes back.
        chance: Draws a number from 0 to 1.
        work: Tells the seconds that this thread has worked: what it waits for does not count.
    """

    clock: Callable[[], float] = perf_counter
    chance: Callable[[], float] = random.random
    work: Callable[[], float] = thread_time


THIS_MACHINE = Machine()
