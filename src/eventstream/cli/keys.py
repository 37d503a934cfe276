"""`eventstream keys`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.errors import InvalidSetting
from eventstream.settings import KeyFileSettings

if TYPE_CHECKING:
    from pathlib import Path

    from eventstream.gateway.access.keys import Key

app = typer.Typer(
    help="API keys: create, list, revoke. A gateway with the same --keys-file takes a change at"
    " once.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The key's name: a-z, 0-9 and hyphens.")]
Patterns = list[str] | None


@app.command()
@with_settings
def create(
    where: KeyFileSettings,
    name: Name,
    write: Annotated[
        Patterns,
        typer.Option(help="A topic it may write to, or the beginning of names and *; repeat."),
    ] = None,
    read: Annotated[Patterns, typer.Option(help="A topic it may read, likewise; repeat.")] = None,
    manage: Annotated[
        Patterns, typer.Option(help="A topic whose schema it may change, likewise; repeat.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="The most events it may send in a second.")
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option(help="The most it may send at once; a second's worth if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, which is shown this once and kept nowhere.

    Examples:
      eventstream keys create orders-service --write orders --keys-file keys.json
      eventstream keys create shop --write 'shop.*' --read 'shop.*' --rate 500 --burst 2000
    """
    from eventstream.gateway.access import key_file
    from eventstream.gateway.access.keys import Key, digest, new_secret

    file = _file(where)
    if not (write or read or manage):
        raise InvalidSetting(
            "A key that may do nothing is of no use: give --write, --read or --manage."
        )
    secret = new_secret(name)
    key = Key(
        name=name,
        sha256=digest(secret),
        created=_now(),
        write=tuple(write or ()),
        read=tuple(read or ()),
        manage=tuple(manage or ()),
        events_per_s=rate,
        burst=burst,
    )
    key.check()
    with key_file.changing(file) as keys:
        if any(other.name == name for other in keys):
            raise InvalidSetting(f"There is a key {name!r} in {file}; choose another name.")
        keys.append(key)
    if as_json:
        print_json({"name": name, "secret": secret})
        return
    print(secret)
    typer.echo("Keep it: it cannot be shown again.", err=True)


@app.command("list")
@with_settings
def list_keys(where: KeyFileSettings, as_json: Json = False) -> None:
    """List the keys, what each may do and since when; never a secret.

    Example:
      eventstream keys list --keys-file keys.json --json
    """
    from rich.console import Console
    from rich.table import Table

    from eventstream.gateway.access import key_file

    keys = key_file.read(_file(where))
    if as_json:
        print_json([_shown(key) for key in keys])
        return
    table = Table(
        "name", "may write", "may read", "may manage", "events/s", "burst", "created", "revoked"
    )
    for key in keys:
        rate = key.rate
        table.add_row(
            key.name,
            " ".join(key.write),
            " ".join(key.read),
            " ".join(key.manage),
            f"{rate.events_per_s:g}" if rate else "",
            f"{rate.burst:g}" if rate else "",
            f"{key.created:%Y-%m-%d}",
            f"{key.revoked:%Y-%m-%d}" if key.revoked else "",
        )
    Console().print(table)


@app.command()
@with_settings
def revoke(where: KeyFileSettings, name: Name) -> None:
    """Revoke a key: running gateways refuse it within a second.

    Its name stays taken. To change a key's secret make another key, let its service use that, then
    revoke the old one.

    Example:
      eventstream keys revoke orders-service --keys-file keys.json
    """
    import msgspec

    from eventstream.gateway.access import key_file

    file = _file(where)
    key_file.read(file)
    with key_file.changing(file) as keys:
        for place, key in enumerate(keys):
            if key.name == name and key.revoked is None:
                keys[place] = msgspec.structs.replace(key, revoked=_now())
                break
        else:
            raise InvalidSetting(f"There is no key {name!r} in {file} that could be revoked.")
    print(f"Key {name!r} is revoked.")


def _file(where: KeyFileSettings) -> Path:
    if where.keys_file is None:
        raise InvalidSetting("Say which file holds the keys: give --keys-file.")
    return where.keys_file


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _shown(key: Key) -> dict[str, object]:
    return {
        "name": key.name,
        "write": key.write,
        "read": key.read,
        "manage": key.manage,
        "events_per_s": key.events_per_s,
        "burst": key.burst,
        "created": key.created,
        "revoked": key.revoked,
    }
