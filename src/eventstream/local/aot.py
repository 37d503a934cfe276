"""The JVM's start-up cache (JEP 483, 514, 515): classes linked, methods profiled under load.

Made once by `eventstream.local.training`, it takes a broker from 2.3 s to 1.1 s until it is ready,
and spares it the second of slow answers a cold JVM begins with. The JVM ignores a cache that does
not fit it; it does not notice every damage, so that is checked here.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from eventstream.local import jvm
from eventstream.local.checksums import Checked, sha256_of

if TYPE_CHECKING:
    from pathlib import Path


_TRY_AGAIN_S = 86_400
_KEPT = 3
"""Start-up caches of other Javas (another environment's) that stay, at 75 MB each."""


class AotCache:
    """The start-up cache for one class path, one Java and one set of flags.

    Args:
        cache: Folder of downloaded things (`HomeSettings.cache`).
        classpath: The broker's class path; its jars' names carry their versions, and the JVM
            compares their times too.
    """

    def __init__(self, cache: Path, classpath: str) -> None:
        jars = (f"{jar} {_modified_s(jar)}" for jar in classpath.split(os.pathsep))
        fits = "\n".join((*jars, jvm.fingerprint(), *jvm.FLAGS))
        key = hashlib.sha256(fits.encode()).hexdigest()[:16]
        self.folder = cache.absolute() / "jvm"
        self.path = self.folder / f"kafka-{key}.aot"
        """The cache itself."""
        self._failed = self.path.with_suffix(".failed")
        self._checksum = self.path.with_suffix(".sha256")

    @property
    def is_usable(self) -> bool:
        """Whether it was made and holds what it held then."""
        try:
            expected = self._checksum.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return False
        checked = Checked(self.folder)
        is_intact = checked.is_intact(self.path.name, expected)
        checked.remember()
        return is_intact

    @property
    def failed_lately(self) -> bool:
        """Whether it could not be made and it is too soon to try again."""
        try:
            return time.time() - self._failed.stat().st_mtime < _TRY_AGAIN_S
        except FileNotFoundError:
            return False

    def note_failure(self, reason: str) -> None:
        """Keep it from being tried again at every start."""
        self._failed.write_text(reason + "\n", encoding="utf-8")

    def flags(self) -> tuple[str, ...]:
        """Return the flags that use it; none where there is nothing to use."""
        return (f"-XX:AOTCache={self.path}",) if self.is_usable else ()

    def keep(self, made: Path) -> None:
        """Take a cache just written; one that was here is replaced."""
        self._checksum.unlink(missing_ok=True)
        made.replace(self.path)
        self._checksum.write_text(sha256_of(self.path), encoding="ascii")
        self._failed.unlink(missing_ok=True)
        by_age = sorted(self.folder.glob("kafka-*.aot"), key=lambda path: path.stat().st_mtime)
        for older in by_age[:-_KEPT]:
            older.unlink(missing_ok=True)


def _modified_s(path: str) -> int:
    try:
        return int(os.stat(path).st_mtime)  # noqa: PTH116 - paths of a class path are text
    except FileNotFoundError:
        return 0
