"""docs/reference.md, made from the declarations: `python -m eventstream.cli.reference`."""

from __future__ import annotations

import types
import typing
from typing import Any

from eventstream.observe.metrics import METRICS
from eventstream.settings import GROUPS, Option, options_of

HEADER = """# Reference

Made from the declarations in the code by `make docs`; a test compares them.

## Settings

The command line wins over the environment, the environment over the default.
"""


def text() -> str:
    """Write the whole page."""
    parts = [HEADER]
    for group in GROUPS:
        parts.append(f"### {(group.__doc__ or '').strip()}\n")
        parts.append("| option | environment | default | what |\n| --- | --- | --- | --- |")
        parts += [_row(option) for option in options_of(group)]
        parts.append("")
    parts.append("## Metrics\n")
    parts.append("| name | kind | labels | what |\n| --- | --- | --- | --- |")
    parts += [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '-'} | {metric.help} |"
        for metric in METRICS
    ]
    return "\n".join(parts) + "\n"


def _row(option: Option) -> str:
    return (
        f"| `{option.flag}` | `{option.variable}` | {_default(option)} |"
        f" {option.help.replace('|', chr(92) + '|')} |"
    )


def _default(option: Option) -> str:
    kind: Any = option.type
    if option.name in {"home", "cache"}:
        return "the user's data or cache folder"
    if option.default is None or option.default == ():
        return "-"
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    if kind is bool:
        return "on" if option.default else "off"
    return f"`{option.default}`"


if __name__ == "__main__":
    print(text(), end="")
