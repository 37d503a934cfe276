"""Output for scripts, alike in every command."""

import base64
from typing import Annotated, Any

import msgspec
import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def print_json(what: Any) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(what).decode())


def shown_data(name: str, data: bytes | None, *, may_be_json: bool = False) -> dict[str, Any]:
    """Show bytes in JSON: as JSON if they may be, as text, or in base64 under `<name>_base64`."""
    if data is None:
        return {name: None}
    if may_be_json:
        try:
            return {name: msgspec.json.decode(data)}
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
