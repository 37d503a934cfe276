"""Output for scripts, alike in every command."""

from typing import Annotated, Any

import msgspec
import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def print_json(what: Any) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(what).decode())
