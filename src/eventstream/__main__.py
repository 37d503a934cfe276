"""`python -m eventstream` is the `eventstream` command."""

from eventstream.cli.main import run

run()
