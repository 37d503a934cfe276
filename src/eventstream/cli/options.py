"""Command-line options made from the settings groups a command asks for."""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.markup import escape

from eventstream.settings import GROUPS, Option, options_of

Command = typing.TypeVar("Command", bound=Callable[..., Any])


def with_settings(command: Command) -> Command:
    """Give a command one option per setting of each group in its signature.

    A parameter annotated with a settings group is replaced by the group's options: flag,
    environment variable, help and default come from their declaration, and the group is made from
    what the user gave when the command runs. Other parameters stay as they are. Where two groups
    declare an option of the same name, the one option goes to both, and each keeps its own default.

    Raises:
        InvalidSetting: When the command runs: a value is out of bounds.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    groups = {name: hints[name] for name in signature.parameters if hints[name] in GROUPS}
    declared: dict[str, Option] = {}
    for group in groups.values():
        for option in options_of(group):
            declared.setdefault(option.name, option)

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        values = {name: given.pop(name) for name in declared}
        for name, group in groups.items():
            given[name] = _make(group, values)
        return command(**given)

    parameters = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name not in groups
    ]
    parameters += [
        _parameter(option, _choices(groups, option.name)) for option in declared.values()
    ]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return typing.cast("Command", run)


def _make(group: type[Any], values: dict[str, Any]) -> Any:
    given = {}
    for option in options_of(group):
        value = values[option.name]
        if value is None or value == []:
            continue
        given[option.name] = tuple(value) if isinstance(value, list) else value
    return group(**given)


def _choices(groups: dict[str, type[Any]], name: str) -> tuple[str, ...]:
    for group in groups.values():
        for field in dataclasses.fields(group):
            if field.name == name:
                return tuple(field.metadata["choices"])
    return ()


def _parameter(option: Option, choices: tuple[str, ...]) -> inspect.Parameter:
    kind = option.type
    if typing.get_origin(kind) is tuple:
        kind = list[typing.get_args(kind)[0]]  # type: ignore[misc]
    flags = (f"{option.flag}/--no-{option.flag[2:]}",) if kind is bool else (option.flag,)
    declaration = typer.Option(
        *flags,
        envvar=option.variable,
        help=escape(option.help) + _shown(option.default),
        show_default=False,
        metavar="|".join(choices) or None,
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, declaration],
    )


def _shown(default: Any) -> str:
    """Return the default as typer would show it, had it been told: here `None` is "not given"."""
    if default is None or default == ():
        return ""
    text = {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)
    return f" [dim]{escape(f'[default: {text}]')}[/dim]"
