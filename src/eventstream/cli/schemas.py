"""`eventstream schemas`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventstream.cli.output import Json, print_json
from eventstream.errors import InvalidSchema

if TYPE_CHECKING:
    from eventstream.gateway.schemas.documents import Document

app = typer.Typer(help="Schemas: check them before they are put.", no_args_is_help=True)


class Mode(enum.StrEnum):
    """How a schema may change."""

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"


@app.callback()
def schemas() -> None:
    """Schemas: check them before they are put."""


@app.command()
def check(
    old: Annotated[Path, typer.Argument(help="The schema before, or the only one.")],
    new: Annotated[Path | None, typer.Argument(help="The schema after.")] = None,
    compatibility: Annotated[
        Mode, typer.Option(help="What the change must keep, as the gateway's setting.")
    ] = Mode.BACKWARD,
    as_json: Json = False,
) -> None:
    """Check that a file is a schema, and that one may follow another: the gateway's own check.

    Exits with 1 and one sentence if not.

    Examples:
      eventstream schemas check orders.json
      eventstream schemas check orders.json orders-new.json --compatibility full
    """
    from eventstream.gateway.schemas.compatibility import incompatibility

    before = _read(old)
    after = before if new is None else _read(new)
    found = incompatibility(before, after, compatibility.value)
    if as_json:
        print_json({"compatible": found is None, "reason": None if found is None else str(found)})
    elif found is not None:
        typer.echo(str(found), err=True)
    elif new is None:
        print(f"{old} is a schema.")
    else:
        print(f"{new} may follow {old}: compatibility {compatibility.value} is kept.")
    if found is not None:
        raise typer.Exit(1)


def _read(path: Path) -> Document:
    from eventstream.gateway.schemas.documents import Document

    try:
        return Document(path.read_bytes())
    except OSError as error:
        raise InvalidSchema(f"{path} cannot be read: {error.strerror}.") from None
    except InvalidSchema as error:
        raise InvalidSchema(f"{path} is not a schema: {error}") from None
