"""API keys: what one may do, and how its secret is made, told and checked; pure but for chance.

Only a SHA-256 of a secret is kept. A slow hash (scrypt, Argon2) is for what people choose, of which
a list of likely ones can be tried. Here the secret is 256 random bits: nobody guesses it, however
fast the hash, and a slow one would only cost the gateway its time at every new connection.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from eventstream.errors import InvalidSetting
from eventstream.gateway.access.patterns import is_pattern
from eventstream.gateway.access.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "es_"
_SECRET_BYTES = 32
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Key(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One API key.

    Attributes:
        name: Names the caller; stands in the secret too.
        sha256: Hash of the secret, in hexadecimal digits.
        write: Topics it may write to: names, or beginnings with a `*`.
        read: Topics it may read.
        manage: Topics whose schema it may change.
        created: When it was made.
        events_per_s: Events it may send in a second; `None` is no limit.
        burst: Events it may send at once; `None` is what the rate gives in a second.
        revoked: When it was revoked.
    """

    name: str
    sha256: str
    created: datetime
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    manage: tuple[str, ...] = ()
    events_per_s: float | None = None
    burst: int | None = None
    revoked: datetime | None = None

    @property
    def rate(self) -> Rate | None:
        """How many events it may send."""
        if self.events_per_s is None:
            return None
        return Rate(self.events_per_s, float(self.burst or max(1.0, self.events_per_s)))

    def check(self) -> None:
        """Make sure that every part means something.

        Raises:
            InvalidSetting: One does not; the sentence says which.
        """
        which = f"Key {self.name!r}"
        if not _NAME.fullmatch(self.name):
            raise InvalidSetting(
                f"{which}: a key's name is 1 to 63 lower-case letters, digits or hyphens, with no"
                " hyphen at either end."
            )
        if not _DIGEST.fullmatch(self.sha256):
            raise InvalidSetting(f"{which}: sha256 is not 64 hexadecimal digits.")
        for pattern in (*self.write, *self.read, *self.manage):
            if not is_pattern(pattern):
                raise InvalidSetting(
                    f"{which}: {pattern!r} is neither a topic's name nor the beginning of names"
                    " with a * behind it."
                )
        if self.events_per_s is not None and not (
            math.isfinite(self.events_per_s) and self.events_per_s > 0
        ):
            raise InvalidSetting(f"{which}: {self.events_per_s} events per second is no rate.")
        if self.burst is not None and (self.burst < 1 or self.events_per_s is None):
            raise InvalidSetting(f"{which}: a burst is 1 event or more, and belongs to a rate.")


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    keys: tuple[Key, ...]
    version: int = 1


def encode(keys: Iterable[Key]) -> bytes:
    """Write keys as the content of a key file: JSON, for people to read."""
    return msgspec.json.format(msgspec.json.encode(_Content(tuple(keys)))) + b"\n"


def decode(content: bytes) -> tuple[Key, ...]:
    """Read the content of a key file.

    Raises:
        InvalidSetting: It is not one; the sentence is without the file's name.
    """
    try:
        read = msgspec.json.decode(content, type=_Content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidSetting(f"It is not a file of API keys: {error}.") from None
    if read.version != 1:
        raise InvalidSetting(f"It is of version {read.version}, and only 1 can be read here.")
    names = set()
    for key in read.keys:
        key.check()
        if key.name in names:
            raise InvalidSetting(f"Key {key.name!r} is there twice.")
        names.add(key.name)
    return read.keys


def new_secret(name: str) -> str:
    """Make the secret of a key: `es_NAME_` and 256 random bits."""
    return f"{PREFIX}{name}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def digest(secret: str) -> str:
    """Hash a secret as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find(keys: Mapping[str, Key], secret: str) -> Key | None:
    """Find the key whose secret this is.

    The name in the secret, which is none, finds the key; then the hashes are compared in a time
    that does not tell how much of them agrees, for a name that is unknown too.
    """
    name = secret.removeprefix(PREFIX).partition("_")[0]
    key = keys.get(name)
    given = digest(secret)
    known = key.sha256 if key is not None else given[::-1]
    return key if hmac.compare_digest(given, known) else None
