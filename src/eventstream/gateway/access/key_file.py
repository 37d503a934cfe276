"""The file of API keys: read, watched for changes, and changed by one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eventstream.errors import InvalidSetting
from eventstream.gateway.access import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.gateway.access.keys import Key

_OWNER_ONLY = 0o600
State = tuple[int, int, int]


def state(path: Path) -> State | None:
    """Tell one content of the file from the next: cheap to ask; `None` when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)


def read(path: Path) -> tuple[Key, ...]:
    """Read the keys.

    Raises:
        InvalidSetting: The file cannot be read, is not a file of keys, or may be written by every
            user of the machine.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except FileNotFoundError:
        raise InvalidSetting(
            f"The key file {path} is not there; make a first key:"
            f" eventstream keys create NAME --write TOPIC --keys-file {path}."
        ) from None
    except OSError as error:
        raise InvalidSetting(f"The key file {path} cannot be read: {error.strerror}.") from None
    if mode & stat.S_IWOTH:
        raise InvalidSetting(
            f"Every user of this machine may change the key file {path}: chmod 600 {path}."
        )
    try:
        return keys.decode(content)
    except InvalidSetting as error:
        raise InvalidSetting(f"The key file {path} is of no use. {error}") from None


@contextlib.contextmanager
def changing(path: Path) -> Iterator[list[Key]]:
    """Hold the list of keys, which is written back at the end unless an exception leaves.

    One process at a time: the others wait. A file that is not there yet is made; a reader sees the
    old content or the new, and so does one after a crash.

    Yields:
        The keys, to be changed.

    Raises:
        InvalidSetting: The file cannot be read or written.
    """
    path = path.resolve()
    with _locked(path):
        found = list(read(path)) if path.exists() else []
        yield found
        _replace(path, keys.encode(found))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a file beside the one that is replaced, and so would not hold a lock."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(
            path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY
        )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, content: bytes) -> None:
    with _writing(path):
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidSetting(f"The key file {path} cannot be written: {error.strerror}.") from None
