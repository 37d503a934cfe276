"""The tables of formats name tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("formats*.md"))


def defined():
    for file in (ROOT / "tests").rglob("test_*.py"):
        yield from re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page):
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert len(named) > 20
    assert named <= set(defined())
