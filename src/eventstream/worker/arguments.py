"""What a handler is called with: the event itself, or its data as the annotation asks for it.

A parameter annotated with `Event`, or not at all, gets the event; `Context` says which attempt it
is; `bytes` gets the value as it is.
Any other annotation gets the value decoded from JSON: msgspec Structs, dataclasses, TypedDicts,
NamedTuples, lists and dicts of them, and pydantic's models.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from eventstream.errors import InvalidEvent, InvalidSetting
from eventstream.events import Event
from eventstream.worker.context import Context

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


Given = Mapping[type, Callable[[Event], Any]]
"""What an event's handler gets for a parameter that is annotated with one of these types."""
NOTHING_MORE: Given = MappingProxyType({})


def arguments_of(
    handler: Callable[..., Any],
    context_of: Callable[[Event], Context] = lambda _: Context(),
    given: Given = NOTHING_MORE,
) -> Callable[[Event], tuple[Any, ...]] | None:
    """Say how to make a handler's arguments from an event.

    Args:
        handler: The handler.
        context_of: Says which attempt of an event it is.
        given: What there is besides, by annotation; the handler asks for all of it.

    Returns:
        A function that raises `InvalidEvent` where the value is not what the handler asks for; or
        `None` where the handler takes the event and nothing else.

    Raises:
        InvalidSetting: The handler cannot be called with what there is.
    """
    wanted = _annotations(handler)
    if wanted in ([Event], [inspect.Parameter.empty]) and not given:
        return None
    known: dict[Any, Callable[[Event], Any]] = {**given, Context: context_of}
    bare = [get_origin(annotation) or annotation for annotation in wanted]
    for kind in given:
        if kind not in bare:
            raise InvalidSetting(
                f"{_name(handler)} has a ledger and does not take its transaction; give it a"
                f" parameter annotated with {kind.__name__}."
            )
    makers = tuple(
        known[kind] if kind in known else _maker(handler, annotation)
        for kind, annotation in zip(bare, wanted, strict=True)
    )
    return lambda event: tuple(make(event) for make in makers)


def batch_arguments_of(handler: Callable[..., Any]) -> Callable[[Event], tuple[Any, ...]]:
    """Say how to make an event's item in each of the lists that a handler of batches takes.

    Returns:
        A function that raises `InvalidEvent` where the value is not what the handler asks for.

    Raises:
        InvalidSetting: The handler cannot be called with what there is.
    """
    makers = []
    for annotation in _annotations(handler):
        if annotation in (list, inspect.Parameter.empty):
            makers.append(_maker(handler, Event))
        elif get_origin(annotation) is list:
            makers.append(_maker(handler, get_args(annotation)[0]))
        else:
            raise InvalidSetting(
                f"{_name(handler)} is to get batches; annotate what it takes as a list,"
                " for example list[Event]."
            )
    return lambda event: tuple(make(event) for make in makers)


def _annotations(handler: Callable[..., Any]) -> list[Any]:
    parameters = [
        each
        for each in inspect.signature(handler).parameters.values()
        if each.default is inspect.Parameter.empty and each.kind in _POSITIONAL
    ] or [
        each
        for each in inspect.signature(handler).parameters.values()
        if each.kind is inspect.Parameter.VAR_POSITIONAL
    ]
    if not parameters:
        raise InvalidSetting(f"{_name(handler)} takes no event; give it a parameter.")
    if all(each.annotation is inspect.Parameter.empty for each in parameters):
        if len(parameters) > 1:
            raise InvalidSetting(
                f"{_name(handler)} takes {len(parameters)} arguments; annotate them, so that it is"
                " clear which is the event and which its data."
            )
        return [inspect.Parameter.empty]
    hints = _hints(handler)
    return [hints.get(each.name, inspect.Parameter.empty) for each in parameters]


def _hints(handler: Callable[..., Any]) -> dict[str, Any]:
    of: Any = handler
    while isinstance(of, functools.partial):
        of = of.func
    if not inspect.isroutine(of):
        of = type(of).__call__
    try:
        return get_type_hints(of, localns={"Event": Event, "Context": Context})
    except (NameError, TypeError) as error:
        raise InvalidSetting(
            f"{_name(handler)} has an annotation that cannot be resolved ({error}); import what it"
            " names when the module runs, not for type checkers only."
        ) from None


def _maker(handler: Callable[..., Any], annotation: Any) -> Callable[[Event], Any]:
    if annotation is Event or annotation is inspect.Parameter.empty:
        return lambda event: event
    if annotation is bytes:
        return lambda event: event.value if event.value is not None else _missing(event, "bytes")
    if annotation is Context:
        raise InvalidSetting(f"{_name(handler)} is to get batches, whose events have no Context.")
    if annotation == bytes | None:
        return lambda event: event.value
    return _decoder(handler, annotation)


def _decoder(handler: Callable[..., Any], annotation: Any) -> Callable[[Event], Any]:
    name = getattr(annotation, "__name__", None) or str(annotation)
    takes_none = type(None) in get_args(annotation)
    decode: Callable[[bytes], Any]
    pydantic = getattr(annotation, "model_validate_json", None)
    if pydantic is not None:
        decode = pydantic
    else:
        try:
            decode = msgspec.json.Decoder(annotation).decode
        except TypeError as error:
            raise InvalidSetting(
                f"{_name(handler)} asks for {name}, which cannot be decoded from JSON: {error}."
            ) from None

    def decoded(event: Event) -> Any:
        if event.value is None:
            return None if takes_none else _missing(event, name)
        try:
            return decode(event.value)
        except (ValueError, msgspec.MsgspecError) as error:
            reason = " ".join(str(error).split())
            raise InvalidEvent(f"{event!r} is not what {name} asks for: {reason}.") from None

    return decoded


def _missing(event: Event, name: str) -> Any:
    raise InvalidEvent(f"{event!r} is a tombstone, and its handler asks for {name}.")


def _name(handler: Callable[..., Any]) -> str:
    return f"The handler {getattr(handler, '__qualname__', None) or repr(handler)}"
