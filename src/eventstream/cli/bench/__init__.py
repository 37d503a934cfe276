"""`eventstream bench`: measure this machine."""

from __future__ import annotations

import typer

from eventstream.cli.bench import beside, handling, publishing

app = typer.Typer(
    help="Measure this machine: real Kafka, real processes, each figure a ratio within one run.",
    no_args_is_help=True,
)
for commands in (publishing, handling, beside):
    app.add_typer(commands.app)
