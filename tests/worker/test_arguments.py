"""What a handler's annotations ask for, and what it gets."""

import functools
import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from eventstream import App, Event
from eventstream.errors import InvalidEvent, InvalidSetting
from eventstream.worker.arguments import arguments_of, batch_arguments_of
from eventstream.worker.context import Context

ORDER = b'{"id": 7, "items": ["a", "b"]}'


class Struct(msgspec.Struct):
    id: int
    items: list[str]


@dataclass
class Data:
    id: int
    items: list[str]


class Typed(TypedDict):
    id: int
    items: list[str]


class Model(pydantic.BaseModel):
    id: int
    items: list[str]


class Pair(NamedTuple):
    id: int
    items: list[str]


def event(value):
    return Event("orders", value, b"k", partition=1, offset=5)


def handler_of(*annotations):
    """Make a handler with a parameter for each annotation."""

    def handler(*given):
        return given

    handler.__annotations__ = {f"a{number}": one for number, one in enumerate(annotations)}
    handler.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=one)
            for name, one in handler.__annotations__.items()
        ]
    )
    return handler


@pytest.mark.parametrize(
    ("annotation", "value", "given"),
    [
        (Struct, ORDER, Struct(7, ["a", "b"])),
        (Data, ORDER, Data(7, ["a", "b"])),
        (Typed, ORDER, {"id": 7, "items": ["a", "b"]}),
        (Model, ORDER, Model(id=7, items=["a", "b"])),
        (Pair, b'[7, ["a", "b"]]', Pair(7, ["a", "b"])),
        (list[Struct], b"[" + ORDER + b"]", [Struct(7, ["a", "b"])]),
        (dict[str, Any], ORDER, {"id": 7, "items": ["a", "b"]}),
        (int, b"3", 3),
        (str, b'"text"', "text"),
        (bytes, ORDER, ORDER),
        (bytes | None, None, None),
        (Struct | None, None, None),
        (Struct | None, ORDER, Struct(7, ["a", "b"])),
        (Any, b"[1]", [1]),
    ],
)
def test_the_value_comes_as_the_annotation_asks(annotation, value, given):
    assert arguments_of(handler_of(annotation))(event(value)) == (given,)


def test_the_event_comes_along_in_any_place():
    here = event(ORDER)
    order = Struct(7, ["a", "b"])
    assert arguments_of(handler_of(Struct, Event))(here) == (order, here)
    assert arguments_of(handler_of(Event, Struct))(here) == (here, order)


def test_a_handler_of_events_is_called_as_it_is():
    async def annotated(event: "Event"):
        pass

    class Callable:
        async def __call__(self, event: Event):
            pass

    def with_default(event, times=1):
        pass

    for handler in (annotated, Callable(), with_default, lambda one: one, print):
        assert arguments_of(handler) is None
    assert arguments_of(functools.partial(with_default, times=2)) is None


def test_a_partial_handler_is_typed_by_its_function():
    def handle(times: int, order: Struct):
        return times, order

    assert arguments_of(functools.partial(handle, 2))(event(ORDER)) == (Struct(7, ["a", "b"]),)


@pytest.mark.parametrize("annotation", [Struct, Data, Typed, Model, list[int], int])
@pytest.mark.parametrize("value", [b'{"id": "seven"}', b"no JSON", b"\xff", b""])
def test_a_value_that_does_not_fit_is_one_sentence(annotation, value):
    with pytest.raises(InvalidEvent) as raised:
        arguments_of(handler_of(annotation))(event(value))
    assert str(raised.value).startswith("<Event orders/1/5 key=b'k'")
    assert "asks for" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("annotation", [Struct, bytes, dict[str, int]])
def test_a_tombstone_is_let_in_only_where_none_is_asked_for(annotation):
    with pytest.raises(InvalidEvent, match="is a tombstone, and its handler asks for"):
        arguments_of(handler_of(annotation))(event(None))


def nothing():
    pass


def two(order, event):
    pass


def unresolved(order):
    pass


unresolved.__annotations__ = {"order": "Nowhere"}


def undecodable(order: type[int] | dict[bytes, complex] | object | range):
    pass


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (nothing, "The handler nothing takes no event"),
        (two, "The handler two takes 2 arguments; annotate them"),
        (unresolved, "annotation that cannot be resolved (name 'Nowhere' is not defined)"),
        (undecodable, "cannot be decoded from JSON"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused_when_it_is_declared(handler, sentence):
    app = App()
    with pytest.raises(InvalidSetting) as raised:
        app.on("orders")(handler)
    assert sentence in str(raised.value)
    assert app.subscriptions == ()


def test_a_handler_of_batches_has_no_context():
    def handle(_events: list[Event], _contexts: list[Context]):
        pass

    with pytest.raises(InvalidSetting, match="whose events have no Context"):
        batch_arguments_of(handle)
