"""What a family of routes says of its operations; pure.

The words are OpenAPI's (specification 3.1.1, section 4.8). Where it wants a schema, either a JSON
Schema stands or the Struct that one is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Schema = dict[str, Any] | type | tuple[type, ...]
"""A tuple stands for any of its Structs."""


EVERY_CALLER = ("not-authenticated", "several-credentials", "signing-keys-unavailable")
"""What ends a request whose caller has to be known."""


class Parameter(NamedTuple):
    """One parameter of a request.

    Attributes:
        name: As it is written in a request.
        within: Where it stands.
        schema: What it may be.
        description: What it does.
        example: A value that works, or `None`.
    """

    name: str
    within: Literal["path", "query", "header"]
    schema: dict[str, Any]
    description: str
    example: str | int | None = None


class Content(NamedTuple):
    """A body of one media type.

    Attributes:
        schema: What it may be.
        examples: Bodies that work, by name.
    """

    schema: Schema
    examples: Mapping[str, Any] = {}


class Reply(NamedTuple):
    """An answer to a request that was taken.

    Attributes:
        status: The HTTP status.
        description: What it says.
        content: By media type; empty when the answer has no body.
        fields: Names of its header fields, each with whether it is always there; they are
            described in `fields.py`.
        links: Operations that can be called with what this answer says, by name: the operation's
            id, and a runtime expression for each of its parameters.
    """

    status: int
    description: str
    content: Mapping[str, Content] = {}
    fields: Mapping[str, bool] = {}
    links: Mapping[str, tuple[str, Mapping[str, str]]] = {}


class Manner(NamedTuple):
    """How a family of routes refuses a request.

    Attributes:
        media_type: Of its answers.
        schema: What they are.
        member: The member of them that tells problems apart.
        calls: What stands there for a problem, by its status and its name.
    """

    media_type: str
    schema: type
    member: str
    calls: Callable[[int, str], str | int]


class Operation(NamedTuple):
    """What can be done at one path.

    Attributes:
        method: The HTTP method, in lower case.
        path: As the application's routes have it.
        id: Names it for programs that are generated.
        tag: Its family.
        summary: What it does, in a few words.
        description: What else there is to know.
        replies: The answers to a request that was taken.
        manner: How a request is refused.
        problems: Names of the problems it can end in, beside those of every request.
        parameters: The parameters.
        body: What it takes, by media type; empty when it takes no body.
        callers: Names of the problems that come of who is calling; empty when nobody is asked.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    replies: tuple[Reply, ...]
    manner: Manner
    problems: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Content] = {}
    callers: tuple[str, ...] = EVERY_CALLER
