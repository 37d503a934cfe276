import os
import subprocess
import sys

import psutil
import pytest

from eventstream.local import aot, jars
from eventstream.local.checksums import Checked

IS_OFFLINE = not any(name != "lo" and state.isup for name, state in psutil.net_if_stats().items())

NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
CLASSPATH = """
import pathlib, sys
from eventstream.errors import EventstreamError
from eventstream.local import jars

try:
    print(jars.classpath("broker", pathlib.Path(sys.argv[1])))
except EventstreamError as error:
    print(error)
    sys.exit(1)
"""


@pytest.fixture
def own_cache(tmp_path, cache):
    """A cache of the test's own with every jar in it."""
    jars.classpath("broker", cache)
    folder = tmp_path / "own cache"
    (folder / "jars").mkdir(parents=True)
    for jar in jars.lock().sets["broker"]:
        os.link(cache / "jars" / jar.name, folder / "jars" / jar.name)
    return folder


def without_network(cache):
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [sys.executable, "-c", CLASSPATH, str(cache)],
        env={**environment, **NO_NETWORK},
        capture_output=True,
        text=True,
        check=False,
    )


def smallest():
    return min(jars.lock().sets["broker"], key=lambda jar: jar.size_bytes)


@pytest.mark.skipif(IS_OFFLINE, reason="a jar is fetched again over the network")
@pytest.mark.parametrize("damage", ["half", "changed", "missing"])
def test_a_damaged_jar_is_noticed_and_fetched_again(own_cache, damage):
    before = jars.classpath("broker", own_cache)
    path = own_cache / "jars" / smallest().name
    content = path.read_bytes()
    path.unlink()
    if damage == "half":
        path.write_bytes(content[: len(content) // 2])
    if damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    assert jars.classpath("broker", own_cache) == before
    assert path.read_bytes() == content
    assert not list((own_cache / "jars").glob(".download-*"))


def test_a_full_cache_needs_no_network(own_cache):
    answer = without_network(own_cache)
    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.strip() == jars.classpath("broker", own_cache)


def test_an_empty_cache_without_a_network_says_so(tmp_path):
    answer = without_network(tmp_path / "empty")
    assert answer.returncode == 1
    assert answer.stdout == (
        "The jars of Kafka are not all on this machine and could not be downloaded (no connection):"
        " connect to the network once, or name a Maven mirror in jgo's configuration file.\n"
    )
    assert not list((tmp_path / "empty" / "jars").glob("*.jar"))


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    answer = without_network(tmp_path / "cache")
    assert answer.stdout.endswith("cannot be written (Not a directory); give another --cache.\n")


def test_the_lock_names_every_jar_once():
    for locked in jars.lock().sets.values():
        names = [jar.name for jar in locked]
        assert len(set(names)) == len(names)
    assert any(jar.name.startswith("kafka-tools-") for jar in jars.lock().sets["perf"])


def test_a_file_is_read_again_only_when_it_was_touched(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    checked = Checked(tmp_path)
    assert checked.is_intact("file", sha256)
    checked.remember()

    times = file.stat()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Checked(tmp_path).is_intact("file", sha256), "its stamp is all that is looked at"
    os.utime(file, ns=(0, 1))
    assert not Checked(tmp_path).is_intact("file", sha256)


def test_a_damaged_start_up_cache_is_not_used(tmp_path):
    cache = aot.AotCache(tmp_path, "a.jar:b.jar")
    assert cache.flags() == ()
    cache.folder.mkdir()
    made = tmp_path / "made"
    made.write_bytes(b"what the JVM wrote")
    cache.keep(made)
    assert aot.AotCache(tmp_path, "a.jar:b.jar").flags() == (f"-XX:AOTCache={cache.path}",)
    assert aot.AotCache(tmp_path, "a.jar:c.jar").flags() == ()

    with cache.path.open("r+b") as file:
        file.write(b"W")
    os.utime(cache.path, ns=(0, 1))
    assert aot.AotCache(tmp_path, "a.jar:b.jar").flags() == ()


def test_a_start_up_cache_that_could_not_be_made_is_not_tried_at_every_start(tmp_path):
    cache = aot.AotCache(tmp_path, "a.jar:b.jar")
    cache.folder.mkdir()
    assert not cache.failed_lately
    cache.note_failure("no memory")
    assert cache.failed_lately
    (failed,) = cache.folder.glob("*.failed")
    os.utime(failed, (0, 0))
    assert not cache.failed_lately
