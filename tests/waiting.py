"""Waiting for what will be, never for how long it takes."""

import time

PAUSE_S = 0.02


def wait_until(condition, timeout_s, what):
    """Return what `condition()` gives once it is true; fail, naming `what`, after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(PAUSE_S)
