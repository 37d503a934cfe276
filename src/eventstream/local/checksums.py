"""Whether big files still hold what they should, without reading them at every start."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

STAMPS_NAME = "checked.json"


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    sha256: str
    size_bytes: int
    modified_ns: int


class Checked:
    """Checks files of one folder, and remembers which were found intact.

    A file is read again only when its size or time of modification is not what it was when it was
    last read: hashing 120 MB at every start would be a tenth of the time a broker takes to be
    ready.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: dict[str, _Stamp] = {}
        with contextlib.suppress(OSError, msgspec.DecodeError):
            content = (folder / STAMPS_NAME).read_bytes()
            self._stamps = msgspec.json.decode(content, type=dict[str, _Stamp])
        self._known = dict(self._stamps)

    def is_intact(self, name: str, sha256: str) -> bool:
        """Whether the file is there and has this checksum."""
        path = self._folder / name
        try:
            stat = path.stat()
            stamp = _Stamp(sha256, stat.st_size, stat.st_mtime_ns)
            if self._known.get(name) == stamp:
                return True
            if sha256_of(path) != sha256:
                return False
        except OSError:
            return False
        self._stamps[name] = stamp
        return True

    def remember(self) -> None:
        """Keep what was found for the next time; a folder that cannot be written forgets."""
        if self._stamps == self._known:
            return
        path = self._folder / STAMPS_NAME
        arriving = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            arriving.write_bytes(msgspec.json.encode(self._stamps))
            arriving.replace(path)
            self._known = dict(self._stamps)


def sha256_of(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
