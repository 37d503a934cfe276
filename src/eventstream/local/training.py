"""Makes the JVM's start-up cache: a broker of its own, real load, a clean stop.

`begin_if_due` does it in a process beside the caller's, at the lowest priority, so the first start
of a machine is not held up by what makes the next ones quicker. `train` does it here and now.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError, LocalServerError
from eventstream.local import jars
from eventstream.local.aot import AotCache
from eventstream.local.kafka import LocalKafka
from eventstream.log.warmup import exercise
from eventstream.settings import BrokerSettings, HomeSettings, KafkaSettings

if TYPE_CHECKING:
    from eventstream.local.progress import Progress

LOAD_S = 4.0
_ASSEMBLY_TIMEOUT_S = 60.0
_LOWEST_PRIORITY = 19
_PREFIX = "training-"


def is_due(home: HomeSettings) -> bool:
    """Whether there is no start-up cache yet, and nothing spoke against making it."""
    aot = _cache(home)
    return not aot.is_usable and not aot.failed_lately


def begin_if_due(home: HomeSettings) -> bool:
    """Make the start-up cache in the background, in a process that ends by itself when it has.

    Returns:
        False when there is nothing to do, or nowhere to put it.
    """
    if not is_due(home):
        return False
    try:
        output = (home.cache.absolute() / "training.log").open("w", encoding="utf-8")
    except OSError:
        return False
    with output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "eventstream.local.training", str(home.cache.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    process.returncode = 0  # Nobody waits for it: that it still runs at our end is as meant.
    return True


def train(home: HomeSettings, progress: Progress | None = None) -> bool:
    """Make the start-up cache and wait for it; whoever trains already is waited for.

    Returns:
        False when a usable one was there.

    Raises:
        LocalServerError: The broker or its JVM did not do its part.
    """
    aot = _cache(home, progress)
    try:
        aot.folder.mkdir(parents=True, exist_ok=True)
        with (aot.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if aot.is_usable:
                return False
            if progress is not None:
                progress.say("Preparing the JVM for quick starts, once; some fifteen seconds ...")
            _make(home, aot)
    except OSError as error:
        raise LocalServerError(
            f"The JVM's start-up cache cannot be written to {aot.folder} ({error.strerror}); give"
            " another --cache."
        ) from None
    return True


def _make(home: HomeSettings, aot: AotCache) -> None:
    for leftover in aot.folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=aot.folder) as folder:
        made = Path(folder, "made.aot")
        _record(home, Path(folder), made)
        if not made.exists():
            raise LocalServerError("The JVM wrote no start-up cache.")
        aot.keep(made)


def _record(home: HomeSettings, folder: Path, made: Path) -> None:
    kafka = LocalKafka(
        HomeSettings(home=folder, cache=home.cache),
        BrokerSettings(broker_port=0),
        jvm_flags=(f"-XX:AOTCacheOutput={made}",),
    )
    kafka.start()
    try:
        exercise(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), LOAD_S)
    finally:
        kafka.stop(_ASSEMBLY_TIMEOUT_S)


def _cache(home: HomeSettings, progress: Progress | None = None) -> AotCache:
    return AotCache(home.cache, jars.classpath("broker", home.cache, progress))


def main() -> None:
    """Run in the background: `python -m eventstream.local.training CACHE-FOLDER`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    home = HomeSettings(cache=parser.parse_args().cache)
    os.nice(_LOWEST_PRIORITY)
    try:
        train(home)
    except EventstreamError as error:
        _cache(home).note_failure(str(error))
        sys.exit(str(error))


if __name__ == "__main__":
    main()
