"""What the benchmarks' commands share: their options, and the file of figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers", help="Measure with this Kafka; a fresh local one when left out."
    ),
]
Target = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Seconds = Annotated[float, typer.Option(min=1, help="How long is measured, after a warm-up.")]
Connections = Annotated[int, typer.Option(min=1, help="Connections kept open.")]
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are quoted.")]


def chosen(what: str, given: list[str] | None, known: Iterable[str]) -> list[str]:
    """Take what the user named, or all there is."""
    names = list(known)
    for name in given or ():
        if name not in names:
            raise typer.BadParameter(f"There is no {what} {name!r}; take {', '.join(names)}.")
    return given or names


def save(target: Path | None, report: Any) -> None:
    """Write the figures down as JSON, where a file was named."""
    if target is not None:
        encoded = msgspec.json.format(msgspec.json.encode(report), indent=2)
        target.write_bytes(encoded + b"\n")
