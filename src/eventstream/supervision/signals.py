"""What SIGHUP means: a wish to restart, or that the terminal is gone."""

from __future__ import annotations

import os
import signal

STANDARD_INPUT = 0


def stop_signals() -> list[signal.Signals]:
    """List the signals on which a process stops; SIGHUP is none where nohup has it ignored."""
    signals = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


class Terminal:
    """The terminal this process was started from, if it was."""

    def __init__(self) -> None:
        self._was_there = os.isatty(STANDARD_INPUT)

    @property
    def is_gone(self) -> bool:
        """Whether it was closed meanwhile."""
        return self._was_there and not os.isatty(STANDARD_INPUT)
