"""Answers over ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Send

    from eventstream.gateway.answers import Answer


async def respond(
    answer: Answer, send: Send, closing: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Send a whole answer.

    Args:
        answer: What to send.
        send: The request's own.
        closing: When given, the connection is closed; it is called between the answer and that.
    """
    fields = list(answer.fields)
    if answer.status != 204:  # noqa: PLR2004 - which has no content, nor a length
        fields.append((b"content-length", b"%d" % len(answer.body)))
    if closing is not None:
        fields.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send(
        {
            "type": "http.response.body",
            "body": answer.body,
            "more_body": closing is not None,
        }
    )
    if closing is not None:
        await closing()
        await send({"type": "http.response.body"})
