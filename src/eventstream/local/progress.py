"""What a long step shows while it runs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

MEGABYTE = 1_000_000


class Progress(Protocol):
    """Hears of steps that take seconds."""

    def say(self, sentence: str) -> None:
        """Hear what happens now."""

    def download(self, what: str, size_bytes: int) -> AbstractContextManager[Callable[[int], None]]:
        """Follow a download; the function given back is told of each piece's bytes."""


class Silent:
    """Shows nothing."""

    def say(self, sentence: str) -> None:
        """Drop the sentence."""

    @contextmanager
    def download(self, what: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Follow nothing."""
        del what, size_bytes
        yield lambda _: None


class Terminal:
    """Writes to standard error: a bar where it is a terminal, one line where it is not."""

    def say(self, sentence: str) -> None:
        """Write the sentence."""
        sys.stderr.write(sentence + "\n")
        sys.stderr.flush()

    @contextmanager
    def download(self, what: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Draw a bar."""
        sentence = f"Downloading {what}, {size_bytes / MEGABYTE:.0f} MB, once"
        if not sys.stderr.isatty():
            self.say(sentence + " ...")
            yield lambda _: None
            return
        from rich import progress  # noqa: PLC0415 - only when there is something to draw
        from rich.console import Console  # noqa: PLC0415

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(sentence, total=size_bytes)
            yield lambda arrived: bar.advance(task, arrived)
