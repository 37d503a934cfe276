"""Who may do what: one owner of keys, tokens and rates in a process."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import InvalidSetting
from eventstream.gateway.access import key_file, refusals
from eventstream.gateway.access.credentials import SEVERAL, secret_in
from eventstream.gateway.access.jwks import SigningKeys
from eventstream.gateway.access.keys import PREFIX, Key, find
from eventstream.gateway.access.patterns import Topics
from eventstream.gateway.access.rates import Bucket
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.access.tokens import Expected, InvalidToken, UnknownSigningKey, verify
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eventstream.settings import AccessSettings

log = structlog.get_logger(__name__)

NOTHING = Topics(())
REMEMBERED = 4096
"""The most credentials that are remembered with their callers."""


class Caller:
    """Someone who has shown who he is.

    Attributes:
        name: What he is called, in answers and where callers are told apart: `key:` and a key's
            name, or `token:` and a token's subject.
        write: Topics he may write to.
        read: Topics he may read.
        manage: Topics whose schema he may change.
        bucket: His rate; `None` is no limit.
        valid_until_s: When his credential ends, on the clock of `Access`.
    """

    __slots__ = ("bucket", "manage", "name", "read", "valid_until_s", "write")

    def __init__(
        self,
        name: str,
        write: Topics,
        read: Topics,
        bucket: Bucket | None = None,
        valid_until_s: float = math.inf,
        manage: Topics = NOTHING,
    ) -> None:
        self.name = name
        self.write = write
        self.read = read
        self.manage = manage
        self.bucket = bucket
        self.valid_until_s = valid_until_s


class Access:
    """Answers, for each request, whether its caller may do what it asks for.

    A credential that was found good is remembered, so that a request costs a look-up; one that was
    not is checked anew each time and leaves nothing behind. The look-up compares by a hash that is
    seeded anew in each process, so how long it takes tells nothing of the credentials it knows.
    Everything remembered is dropped when keys change.

    Args:
        settings: Where keys and tokens come from; with neither, everybody may do everything.
        processes: How many processes share a key's rate.
        clock: Seconds that do not go back.
        wall_clock: Seconds since the epoch, which tokens end by.

    Attributes:
        required: Whether requests need a credential at all.

    Raises:
        InvalidSetting: The key file is of no use, or settings for tokens are missing.
    """

    def __init__(
        self,
        settings: AccessSettings,
        processes: int = 1,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._processes = processes
        self._now_s = clock()
        self._callers: dict[bytes, Caller] = {}
        self._buckets: dict[str, Bucket] = {}
        self._keys: dict[str, Key] = {}
        self._file: Path | None = settings.keys_file
        self._file_state: key_file.State | None = None
        self._expected, self._signing_keys = self._tokens(settings)
        self.required = self._file is not None or self._signing_keys is not None
        if self._file is not None:
            self._file_state = key_file.state(self._file)
            self._take_keys(key_file.read(self._file))

    def _tokens(self, settings: AccessSettings) -> tuple[Expected, SigningKeys | None]:
        expected = Expected(
            settings.jwt_issuer or "", settings.jwt_audience or "", settings.jwt_topics_claim
        )
        if settings.jwt_jwks is None:
            return expected, None
        if not (expected.issuer and expected.audience):
            raise InvalidSetting(
                "--jwt-jwks needs --jwt-issuer and --jwt-audience: without them a token made for"
                " another service would be good here."
            )
        return expected, SigningKeys(settings.jwt_jwks, self._callers.clear, self._clock)

    # Questions

    def refusal(self, credential: bytes, topic: str, events: int = 1) -> Problem | None:
        """Say why a caller may not write events to a topic now, or `None` when he may.

        Args:
            credential: What `credential_of` found in the request.
            topic: Where the events go.
            events: How many there are, as far as is known; see `charge`.

        Returns:
            The refusal. `RESOLVE` says that a signing key has to be fetched first: call `resolve`
            and ask again when it calls back.
        """
        caller = self._callers.get(credential)
        if caller is None or caller.valid_until_s <= self._now_s:
            if not self.required:
                return None
            found = self._identify(credential)
            if isinstance(found, Problem):
                return found
            caller = found
        if topic not in caller.write.allowed and not caller.write.allow(topic):
            return refusals.not_allowed(caller.name, "write to", topic)
        bucket = caller.bucket
        if bucket is not None and not bucket.take(events, self._clock()):
            return refusals.over_rate(caller.name, bucket)
        return None

    def read_refusal(self, credential: bytes, topic: str) -> Problem | None:
        """Say why a caller may not read a topic, as `refusal` does for writing."""
        found = self.caller(credential)
        if found is None or isinstance(found, Problem):
            return found
        if found.read.allow(topic):
            return None
        return refusals.not_allowed(found.name, "read", topic)

    def use_refusal(self, credential: bytes, topic: str) -> Problem | None:
        """Say why a caller may neither write to a topic nor read it, as `refusal` does."""
        found = self.caller(credential)
        if found is None or isinstance(found, Problem):
            return found
        if found.write.allow(topic) or found.read.allow(topic):
            return None
        return refusals.not_allowed(found.name, "use", topic)

    def manage_refusal(self, credential: bytes, topic: str) -> Problem | None:
        """Say why a caller may not change a topic's schema, as `refusal` does."""
        found = self.caller(credential)
        if found is None or isinstance(found, Problem):
            return found
        if found.manage.allow(topic):
            return None
        return refusals.not_allowed(found.name, "manage", topic)

    def caller(self, credential: bytes) -> Caller | Problem | None:
        """Find who sends a request: for what needs no more than to be known here.

        Returns:
            The caller, the refusal (`RESOLVE` too), or `None` where nobody has to say who he is.
        """
        caller = self._callers.get(credential)
        if caller is not None and caller.valid_until_s > self._now_s:
            return caller
        return self._identify(credential) if self.required else None

    def charge(self, credential: bytes, events: int) -> None:
        """Count further events of a request that was let in before they could be counted."""
        caller = self._callers.get(credential)
        if caller is not None and caller.bucket is not None:
            caller.bucket.charge(events)

    def resolve(self, resolved: Callable[[], None]) -> None:
        """Fetch the keys that tokens are signed with; `resolved` is called in the loop, once.

        Whoever asks again then gets another answer than `RESOLVE`.
        """
        assert self._signing_keys is not None  # noqa: S101 - nothing else answers RESOLVE
        self._signing_keys.fetch(resolved)

    async def admit(self, credential: bytes, topic: str, events: int = 1) -> Problem | None:
        """Ask `refusal`, and wait for a signing key where one has to be fetched."""
        refusal = self.refusal(credential, topic, events)
        if refusal is not RESOLVE:
            return refusal
        fetched = asyncio.Event()
        self.resolve(fetched.set)
        await fetched.wait()
        return self.refusal(credential, topic, events)

    # Callers

    def _identify(self, credential: bytes) -> Caller | Problem:
        """Find out whose credential it is, and remember it if it is good."""
        self._callers.pop(credential, None)
        if not credential:
            return refusals.NO_CREDENTIAL
        if credential == SEVERAL:
            return refusals.SEVERAL_CREDENTIALS
        secret = secret_in(credential)
        if secret is None:
            return refusals.invalid("this is neither an API key nor a token")
        found = self._by_key(secret) if secret.startswith(PREFIX) else self._by_token(secret)
        if isinstance(found, Caller):
            if len(self._callers) >= REMEMBERED:
                del self._callers[next(iter(self._callers))]
            self._callers[credential] = found
        return found

    def _by_key(self, secret: str) -> Caller | Problem:
        key = find(self._keys, secret)
        if key is None:
            return refusals.invalid("the API key is not known here")
        if key.revoked is not None:
            return refusals.invalid("the API key has been revoked")
        bucket = self._buckets.get(key.name)
        manage = Topics(key.manage)
        return Caller(f"key:{key.name}", Topics(key.write), Topics(key.read), bucket, manage=manage)

    def _by_token(self, token: str) -> Caller | Problem:
        source = self._signing_keys
        if source is None:
            return refusals.invalid("this is not an API key")
        now_s, epoch_s = self._clock(), self._wall_clock()
        try:
            grant = verify(token, source.keys, self._expected, epoch_s)
        except InvalidToken as error:
            return refusals.invalid(str(error))
        except UnknownSigningKey:
            if source.may_fetch:
                return RESOLVE
            if source.failing:
                return refusals.CANNOT_CHECK
            return refusals.invalid("the token is signed with a key that is not known here")
        valid_until_s = now_s + grant.ends_s - epoch_s
        return Caller(
            f"token:{grant.subject}", grant.write, grant.read, valid_until_s=valid_until_s
        )

    # Changes

    def tick(self, now_s: float) -> None:
        """Look whether keys have changed; call it in the loop twice a second.

        Args:
            now_s: The time on this object's clock; credentials end by it.
        """
        self._now_s = now_s
        if self._signing_keys is not None:
            self._signing_keys.tick()
        if self._file is not None:
            self._look_at(self._file)

    def _look_at(self, file: Path) -> None:
        state = key_file.state(file)
        if state == self._file_state:
            return
        self._file_state = state
        try:
            keys = key_file.read(file)
        except InvalidSetting as error:
            log.warning("API keys stay as they were: the file cannot be taken", reason=str(error))
            return
        self._take_keys(keys)
        log.info("API keys taken", file=str(file), keys=sum(key.revoked is None for key in keys))

    def _take_keys(self, keys: tuple[Key, ...]) -> None:
        """Know these keys from now on; one whose rate is as it was keeps what is left of it."""
        known = self._buckets
        self._buckets = {}
        for key in keys:
            if key.rate is not None:
                rate = key.rate.share(self._processes)
                bucket = known.get(key.name)
                if bucket is None or bucket.rate != rate:
                    bucket = Bucket(rate)
                self._buckets[key.name] = bucket
        self._keys = {key.name: key for key in keys}
        self._callers.clear()
