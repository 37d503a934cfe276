"""Which server events go into, and what they do there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eventstream.errors import InvalidSetting
from eventstream.sinks.redis.sink import RedisSink
from eventstream.sinks.redis.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from eventstream.events import Event
    from eventstream.sinks.redis.commands import Command

URL_VARIABLE = "EVENTSTREAM_REDIS_URL"


class Redis:
    """A Redis or Valkey that events change, each exactly once.

    ```python
    def totals(event: Event) -> list[Command]:
        order = event.json()
        return [HashAdd("revenue", order["currency"], order["cents"])]

    Redis(totals)
    Redis(["set order:{/id} {value}", "xadd orders * event {value}"])
    ```

    Args:
        commands: What an event does: a function that returns commands, none where it does nothing,
            or templates of commands as redis-cli has them (`templates`). The function is called
            again for an event that is written again; what it raises makes the event one that can
            never be written.
        url: How to reach the server, `redis://user:password@host:port/0`, `rediss://` for TLS;
            `EVENTSTREAM_REDIS_URL` if left out.
        key_tag: In a cluster, what every key has in braces (`{orders}:17`), so that they stand in
            one slot with the position; of no account elsewhere.

    Raises:
        InvalidSetting: A template or the key tag is none.
    """

    def __init__(
        self,
        commands: Callable[[Event], Iterable[Command]] | Sequence[str],
        *,
        url: str | None = None,
        key_tag: str = "eventstream",
    ) -> None:
        if not key_tag or "{" in key_tag or "}" in key_tag:
            raise InvalidSetting(f"{key_tag!r} is no key tag: write a word without braces.")
        self._commands = commands if callable(commands) else Templates(commands)
        self._url = url
        self._key_tag = key_tag

    def __repr__(self) -> str:
        return "Redis(...)"

    def connect(self, on_void: Callable[[], None]) -> RedisSink:
        """Make the sink of one process; see `contract.SinkSettings`."""
        url = self._url if self._url is not None else os.environ.get(URL_VARIABLE, "")
        if not url:
            raise InvalidSetting(
                f"{self!r} has no URL: give it one, or set {URL_VARIABLE}; `eventstream up --with"
                " redis` sets it."
            )
        return RedisSink(url, self._commands, self._key_tag, on_void)
