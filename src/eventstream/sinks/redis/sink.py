"""A server that speaks Redis as a sink."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, NamedTuple

import structlog

from eventstream.backoff import Backoff
from eventstream.errors import EventstreamError
from eventstream.sinks.contract import SinkRefused, SinkUnavailable
from eventstream.sinks.redis import library, server
from eventstream.sinks.redis.batches import Batches
from eventstream.sinks.redis.functions import Functions
from eventstream.sinks.redis.sessions import Sessions
from eventstream.sinks.redis.templates import Templates
from eventstream.sinks.redis.tenure import Place, RedisTenure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eventstream.events import Event
    from eventstream.sinks.redis.commands import Command

log = structlog.get_logger(__name__)

OPEN_TIMEOUT_S = 15.0
LOOK_PAUSE_S = 2.0
"""How long a server that was started again may go unnoticed while nothing is written."""
_BACKOFF = Backoff(first_s=0.05, cap_s=1.0, jitter=0.0)


class _Opened(NamedTuple):
    group: str
    topic: str
    batches: Batches
    watching: asyncio.Task[None]


class RedisSink:
    """See `contract.Sink`.

    Args:
        url: How to reach the server.
        commands: Says what an event does.
        key_tag: What the keys have in braces, in a cluster.
        on_void: Called when partitions have to be taken over again.

    Raises:
        InvalidSetting: The URL is none.
    """

    def __init__(
        self,
        url: str,
        commands: Callable[[Event], Iterable[Command]],
        key_tag: str,
        on_void: Callable[[], None],
    ) -> None:
        self._sessions = Sessions(url, on_void)
        self._functions = Functions(self._sessions)
        self._commands = commands
        self._key_tag = key_tag
        self._on_void = on_void
        self._opened: _Opened | None = None
        self._tenures: dict[int, RedisTenure] = {}

    async def open(self, group: str, topic: str) -> None:
        """Connect, and see that the server has our functions; what it may lose is logged.

        Raises:
            SinkRefused: The server is too old, refuses, or is a cluster that the commands' keys
                are not made for.
            SinkUnavailable: It does not answer, for fifteen seconds.
        """
        try:
            await self._patiently_probe(self._ledger(group, topic, 0))
            await self._warn()
            batches = self._made_batches()
        except BaseException:
            await self._sessions.close()
            raise
        self._opened = _Opened(group, topic, batches, asyncio.create_task(self._watch()))

    async def take_over(self, partition: int, start: int, topic_tag: str = "") -> RedisTenure:
        """Begin a tenure, and end every other one of the partition."""
        opened = self._opened
        if opened is None:
            raise SinkRefused("The sink is not open.")
        key = self._ledger(opened.group, opened.topic, partition)
        owner = secrets.token_hex(12).encode()
        words: list[bytes | int] = [owner, start, topic_tag.encode()]
        epoch, position = await self._functions.call(library.TAKE_OVER, [key], words)
        place = Place(key, epoch, owner)
        tenure = RedisTenure(place, int(position), self._functions, opened.batches, self._on_void)
        self._tenures[partition] = tenure
        return tenure

    async def close(self) -> None:
        """Let go of the server; what runs is waited for."""
        for tenure in self._tenures.values():
            await tenure.rest()
        if self._opened is not None:
            self._opened.watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opened.watching
        await self._sessions.close()

    def _ledger(self, group: str, topic: str, partition: int) -> bytes:
        return f"eventstream:{{{self._key_tag}}}:{group}:{topic}:{partition}".encode()

    async def _patiently_probe(self, ledger: bytes) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + OPEN_TIMEOUT_S
        attempt = 0
        while True:
            try:
                await self._functions.call(library.POSITION, [ledger], [])
            except SinkUnavailable:
                attempt += 1
                delay_s = _BACKOFF.delay_s(attempt, 0)
                if loop.time() + delay_s > deadline_s:
                    raise
                await asyncio.sleep(delay_s)
            else:
                return

    async def _warn(self) -> None:
        """Log what the server may lose."""
        try:
            flat = await self._sessions.ask(b"CONFIG", b"GET", *server.PERSISTENCE)
        except SinkRefused as error:
            log.warning("what redis may lose is not known", problem=str(error))
            return
        words = [word.decode() for word in flat]
        for risk in server.risks(dict(zip(words[::2], words[1::2], strict=True))):
            log.warning("redis may lose what it has said to be written", problem=risk)

    def _made_batches(self) -> Batches:
        if not self._sessions.server.is_cluster:
            return Batches(self._commands)
        if isinstance(self._commands, Templates):
            self._commands.check_tag(self._key_tag)
        return Batches(self._commands, self._key_tag.encode())

    async def _watch(self) -> None:
        """Look for a server that was started again, also while nothing is written."""
        task = asyncio.current_task()
        # The client may lose a cancel: before Python 3.12 asyncio.wait_for does.
        while task is not None and not task.cancelling():
            await asyncio.sleep(LOOK_PAUSE_S)
            with contextlib.suppress(EventstreamError):
                await self._sessions.ask(b"PING")
