"""Logs are for machines where nobody looks on, and carry no keys."""

import json
import subprocess
import sys

import pytest

from eventstream.observe.logs import key_hash

PROGRAM = """
import logging, structlog, sys
from eventstream.observe.logs import configure_logging
from eventstream.settings import LogSettings
configure_logging(LogSettings(log_format=sys.argv[1], log_level="warning"))
log = structlog.get_logger("a")
log.info("quiet")
log.warning("ours", topic="t", offset=3)
logging.getLogger("library").warning("theirs %d", 7)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""


@pytest.fixture
def written():
    def run(log_format):
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, log_format], capture_output=True, text=True, check=True
        )
        return result.stderr

    return run


@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_every_line_is_one_json_object(written, log_format):
    ours, theirs, broken = map(json.loads, written(log_format).splitlines())
    assert (ours["event"], ours["topic"], ours["offset"], ours["level"]) == (
        "ours",
        "t",
        3,
        "warning",
    )
    assert (theirs["event"], theirs["logger"]) == ("theirs 7", "library")
    assert "ZeroDivisionError" in broken["exception"]


def test_people_get_lines_they_can_read(written):
    text = written("console")
    assert "ours" in text
    assert "topic" in text
    assert "quiet" not in text


def test_a_key_is_named_by_its_hash_alone():
    assert key_hash(b"user-1") == key_hash(b"user-1") != key_hash(b"user-2")
    assert len(key_hash(b"user-1")) == 8
    assert key_hash(None) is None
