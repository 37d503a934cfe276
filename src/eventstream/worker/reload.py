"""Restarts a worker when its program changes, for development.

A process tells which files it loaded and when each was changed last; the supervisor's side compares
that with the disk. A file that does not compile restarts nothing: what runs goes on until the next
change.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from eventstream.worker.loading import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.supervision.link import Notice

log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 0.5


def program_files(error: BaseException | None = None) -> dict[str, int]:
    """Find the files below this folder that the program was loaded from.

    Args:
        error: What kept it from being loaded: a module that failed is known by it alone.

    Returns:
        Each file's path, and when it was changed last, in ns.
    """
    names = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    while error is not None:
        names.update(
            frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)
        )
        if isinstance(error, SyntaxError):
            names.add(error.filename)
        error = error.__cause__ or error.__context__
    here = Path.cwd()
    return {name: _changed_at(name) for name in names if name and _is_ours(Path(name), here)}


class Files:
    """A program's files, and whether they are still as they were loaded.

    Args:
        app: The app's name, module:attribute; its file may be yet to be written.
    """

    def __init__(self, app: str) -> None:
        module, _, _ = app.partition(":")
        file = str(Path.cwd() / f"{module.replace('.', '/')}.py")
        self._known = {file: _changed_at(file)}

    def heard(self, notice: Notice) -> None:
        """Take what a process loaded."""
        self._known.update(notice.files)

    async def watch(self, restart: Callable[[], None]) -> None:
        """Call `restart` whenever files changed and compile."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            if self._have_changed():
                restart()

    def _have_changed(self) -> bool:
        """Look for changes, and log them or what is wrong with them."""
        changed = self._changed()
        problems = [problem for name in changed if (problem := _problem(name))]
        for problem in problems:
            log.error(problem)
        if not changed or problems:
            return False
        log.info("files changed", files=[os.path.relpath(name) for name in changed])
        return True

    def _changed(self) -> list[str]:
        """List the files that differ from what was loaded or seen last; a missing one waits."""
        now = {name: _changed_at(name) for name in self._known}
        changed = [name for name, at in now.items() if at and at != self._known[name]]
        self._known.update((name, now[name]) for name in changed)
        return changed


def _is_ours(file: Path, here: Path) -> bool:
    installed = "site-packages" in file.parts or file.is_relative_to(sys.prefix)
    return file.suffix == ".py" and file.is_relative_to(here) and not installed


def _changed_at(name: str) -> int:
    """Give when a file was changed last, in ns; 0 for one that is not there."""
    with contextlib.suppress(OSError):
        return Path(name).stat().st_mtime_ns
    return 0


def _problem(name: str) -> str:
    """Say why a file does not compile; nothing if it does, or is gone again."""
    try:
        compile(Path(name).read_bytes(), name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{syntax_problem(error)}; what runs goes on until the file changes again."
    except (OSError, ValueError):
        pass
    return ""
