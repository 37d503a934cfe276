"""How options are declared, checked and read."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from eventstream.errors import InvalidSetting

if typing.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENV_PREFIX = "EVENTSTREAM_"

Group = TypeVar("Group")


def option(
    default: Any,
    help: str,  # noqa: A002 - the word every command line uses for it
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Declare one setting as a dataclass field; `secret` keeps its value out of every `repr`."""
    metadata = {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata, repr=not secret)
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Option:
    """One declared setting, as the command line and the documentation see it."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return ENV_PREFIX + self.name.upper()


def options_of(group: type[Any]) -> Iterator[Option]:
    """List the options of a settings group in the order they are declared."""
    hints = typing.get_type_hints(group)
    for field in dataclasses.fields(group):
        default = (
            field.default_factory()
            if field.default_factory is not dataclasses.MISSING
            else field.default
        )
        yield Option(field.name, hints[field.name], default, field.metadata["help"])


class Checked:
    """Checks bounds and choices when a group is made, whoever makes it."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type] # groups are dataclasses
            value = getattr(self, field.name)
            bounds = field.metadata
            flag = "--" + field.name.replace("_", "-")
            if bounds["minimum"] is not None and value is not None and value < bounds["minimum"]:
                raise InvalidSetting(
                    f"{flag} is {value}, but the least it can be is {bounds['minimum']}."
                )
            if bounds["maximum"] is not None and value is not None and value > bounds["maximum"]:
                raise InvalidSetting(
                    f"{flag} is {value}, but the most it can be is {bounds['maximum']}."
                )
            if bounds["choices"] and value not in bounds["choices"]:
                raise InvalidSetting(
                    f"{flag} is {value!r}; choose one of {', '.join(bounds['choices'])}."
                )


def from_environment(group: type[Group], environment: Mapping[str, str], **overrides: Any) -> Group:
    """Make a settings group from environment variables, with `overrides` above them.

    Raises:
        InvalidSetting: A variable's text is not of its option's type, or out of bounds.
    """
    values: dict[str, Any] = {}
    for declared in options_of(group):
        text = environment.get(declared.variable)
        if text is not None:
            values[declared.name] = parse(declared, text)
    return group(**{**values, **overrides})


def parse(declared: Option, text: str) -> Any:
    """Read one option's value from text; blanks separate the values of one that takes several.

    Raises:
        InvalidSetting: The text is not of the option's type.
    """
    kind = declared.type
    if isinstance(kind, types.UnionType):
        if text == "":
            return None
        kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
    if typing.get_origin(kind) is tuple:
        return tuple(text.split())
    if kind is bool:
        lowered = text.lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"0", "false", "no", "off"}:
            return False
        raise InvalidSetting(f"{declared.variable} is {text!r}; write true or false.")
    try:
        return kind(text)
    except ValueError:
        raise InvalidSetting(
            f"{declared.variable} is {text!r}, which is not a {kind.__name__}."
        ) from None
