"""The keys that tokens are signed with: fetched from a URL or a file, and kept up to date."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from eventstream.errors import InvalidSetting, Transient
from eventstream.gateway.access.tokens import signing_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.gateway.access.tokens import SigningKey

log = structlog.get_logger(__name__)

REFETCH_S = 10.0
"""The shortest time between two fetches, however many tokens name a key that is not at hand."""
REFRESH_S = {"file": 10.0, "http": 300.0, "https": 300.0}
"""How old keys may become before they are fetched anew: a key that was taken out counts so long."""
FETCH_TIMEOUT_S = 5.0
_MAX_BYTES = 1_000_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SigningKeys:
    """The newest key set that could be fetched. Owned by the event loop; fetches run in a thread.

    A fetch that fails leaves the keys that are at hand, and is tried again.

    Args:
        where: The key set's URL or file.
        changed: Called in the loop when there are other keys than before.
        clock: Seconds that do not go back.

    Attributes:
        keys: The keys by id; empty until the first fetch.
        failing: Whether the last fetch failed.

    Raises:
        InvalidSetting: The URL is none to fetch keys from.
    """

    def __init__(self, where: str, changed: Callable[[], None], clock: Callable[[], float]) -> None:
        self._where = where
        self._scheme = _scheme(where)
        self._changed = changed
        self._clock = clock
        self._content = b""
        self._fetched_s = float("-inf")
        self._fetching = False
        self._waiting: list[Callable[[], None]] = []
        self.keys: dict[str | None, SigningKey] = {}
        self.failing = False

    @property
    def may_fetch(self) -> bool:
        """Whether a fetch is under way, or may begin: the last one was not just now."""
        return self._fetching or self._clock() - self._fetched_s >= REFETCH_S

    def tick(self) -> None:
        """Fetch if it is time to; call it in the loop, now and then."""
        wait_s = REFETCH_S if self.failing else REFRESH_S[self._scheme]
        if self._clock() - self._fetched_s >= wait_s:
            self.fetch()

    def fetch(self, done: Callable[[], None] | None = None) -> None:
        """Begin a fetch, or join the one under way; `done` is called in the loop at its end."""
        if done is not None:
            self._waiting.append(done)
        if self._fetching:
            return
        self._fetching = True
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, fetch, self._where).add_done_callback(self._take)

    def _take(self, fetched: asyncio.Future[bytes]) -> None:
        self._fetching = False
        self._fetched_s = self._clock()
        if fetched.cancelled():
            return
        try:
            content = fetched.result()
            if content != self._content:
                self.keys = signing_keys(content)
                self._content = content
                self._changed()
                log.info("signing keys taken", source=self._where, keys=len(self.keys))
            self.failing = False
        except (Transient, ValueError) as error:
            if not self.failing:
                log.warning(
                    "signing keys cannot be fetched; those at hand stay",
                    source=self._where,
                    reason=str(error),
                    keys=len(self.keys),
                )
            self.failing = True
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done()


def _scheme(where: str) -> str:
    """Make sure that keys from there can be believed.

    Raises:
        InvalidSetting: They come over a network that could change them, or the URL has a password,
            which logs would show.
    """
    url = urlsplit(where)
    if "://" not in where:
        return "file"
    if url.scheme not in REFRESH_S or (url.scheme == "http" and url.hostname not in _LOOPBACK):
        raise InvalidSetting(
            f"--jwt-jwks has a URL of scheme {url.scheme!r}: give one with https, so that nobody on"
            " the way can put keys of his own there, or a file."
        )
    if url.username is not None or url.password is not None or not url.hostname:
        raise InvalidSetting(
            "--jwt-jwks has a URL with a user or without a host: key sets are public."
        )
    return url.scheme


def fetch(where: str) -> bytes:
    """Read a key set from its URL or file; blocks, for a few time-outs at most.

    Raises:
        Transient: It cannot be read; the text is the reason.
    """
    try:
        if "://" not in where:
            with Path(where).open("rb") as file:
                return _bounded(file.read(_MAX_BYTES + 1))
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(where, timeout=FETCH_TIMEOUT_S) as answer:
            return _bounded(_read(answer))
    except urllib.error.HTTPError as error:
        error.close()
        raise Transient(f"the server answered {error.code}") from None
    except urllib.error.URLError as error:
        raise Transient(str(error.reason)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise Transient(str(error) or type(error).__name__) from None


def _read(answer: Any) -> bytes:
    """Read an answer whole, but not from a server that sends it drop by drop."""
    deadline_s = time.monotonic() + FETCH_TIMEOUT_S
    content = b""
    while len(content) <= _MAX_BYTES and (part := answer.read1(65536)):
        content += part
        if time.monotonic() > deadline_s:
            raise Transient("the server is too slow")
    return content


def _bounded(content: bytes) -> bytes:
    if len(content) > _MAX_BYTES:
        raise Transient("it has more than a megabyte")
    return content


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The keys of another place than the one that was given are not believed."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: the answer counts as a failure."""
        return
