"""Kafka's jars and a benchmark's: locked by version and sha256, fetched once, checked at each use.

`jars.lock.json` names each jar by its Maven coordinates; jgo knows where such things are found, so
no host is named here. Somebody with a mirror of their own names it in jgo's configuration file,
`[repositories] central = ...`, and it is used here too.
"""

from __future__ import annotations

import functools
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eventstream.errors import LocalServerError
from eventstream.local.checksums import Checked, sha256_of
from eventstream.local.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.local.maven import Download
    from eventstream.local.progress import Progress

LOCK_NAME = "jars.lock.json"
_DOWNLOADS_AT_ONCE = 12
_ATTEMPTS = 3
_MODIFIED_S = 1_600_000_000
_TITLES = {
    "broker": "Kafka",
    "perf": "Kafka's load generator",
    "parallel-consumer": "Parallel Consumer",
    "compiler": "the Java compiler",
}


class Jar(msgspec.Struct, frozen=True):
    """One locked jar."""

    coordinates: str
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """Its file's name."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


class Lock(msgspec.Struct, frozen=True):
    """What `python -m eventstream.local.lock` found.

    Attributes:
        kafka: The version of Kafka the broker is.
        sets: Jars by what they are for: `broker` runs Kafka, `perf` holds its own load generator,
            `parallel-consumer` is a peer our worker is measured beside, `compiler` compiles it.
        format: The files a formatted data folder begins with, base64 by path; `meta.properties`,
            which differs from one cluster to the next, is not among them.
    """

    kafka: str
    sets: dict[str, tuple[Jar, ...]]
    format: dict[str, bytes]


@functools.cache
def lock() -> Lock:
    """Read the committed lock."""
    content = resources.files("eventstream.local").joinpath(LOCK_NAME).read_bytes()
    return msgspec.json.decode(content, type=Lock)


def classpath(name: str, cache: Path, progress: Progress | None = None) -> str:
    """Return the Java class path of one set of jars, all present and undamaged.

    Args:
        name: The set, one of `Lock.sets`.
        cache: Folder of downloaded things (`HomeSettings.cache`).
        progress: Who hears of a download.

    Raises:
        LocalServerError: A jar is missing or damaged and cannot be downloaded.
    """
    folder = cache.absolute() / "jars"
    if os.pathsep in str(folder):
        raise LocalServerError(
            f"Java cannot read jars from {folder}, because of the {os.pathsep!r} in its name;"
            " give another --cache."
        )
    jars = lock().sets[name]
    missing = _damaged(jars, folder)
    if missing:
        _fetch(missing, folder, _TITLES[name], progress or Silent())
    return os.pathsep.join(str(folder / jar.name) for jar in jars)


def _damaged(jars: Iterable[Jar], folder: Path) -> list[Jar]:
    checked = Checked(folder)
    damaged = [jar for jar in jars if not checked.is_intact(jar.name, jar.sha256)]
    checked.remember()
    return damaged


def _fetch(jars: list[Jar], folder: Path, title: str, progress: Progress) -> None:
    from eventstream.local.maven import Download  # noqa: PLC0415 - jgo only when it is needed

    size_bytes = sum(jar.size_bytes for jar in jars)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as arriving,
            progress.download(title, size_bytes) as advance,
            ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
        ):
            download = Download(title, Path(arriving), advance)
            fetches = [pool.submit(_fetch_one, jar, folder, download) for jar in jars]
            try:
                for fetch in fetches:
                    fetch.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except OSError as error:
        raise LocalServerError(
            f"The cache folder {folder} cannot be written ({error.strerror or error});"
            " give another --cache."
        ) from None


def _fetch_one(jar: Jar, folder: Path, download: Download) -> None:
    for _ in range(_ATTEMPTS):
        arrived = download(jar.coordinates)
        if sha256_of(arrived) == jar.sha256:
            # The JVM's start-up cache fits jars by their times: one fetched anew is the same jar.
            os.utime(arrived, (_MODIFIED_S, _MODIFIED_S))
            arrived.replace(folder / jar.name)
            return
        arrived.unlink()
    raise LocalServerError(
        f"{jar.coordinates} was downloaded {_ATTEMPTS} times and never had the locked checksum;"
        " something between here and its Maven repository changes it."
    )
