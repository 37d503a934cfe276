"""Every option and every metric is documented, as it is declared."""

from pathlib import Path

from eventstream.cli.reference import text

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_says_what_the_code_declares():
    assert REFERENCE.read_text() == text(), "run `make docs`"
