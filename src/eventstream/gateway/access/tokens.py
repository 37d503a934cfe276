"""JSON Web Tokens: is one genuine, for us and valid now, and what does it allow; pure.

Rules of RFC 7519 (claims), RFC 7515 (signature), RFC 7517 (key sets), RFC 7518 (algorithms) and
RFC 8725 (what to beware of). A token does not choose how it is checked: each key allows only the
algorithms of its kind, and none of them is `none` or works with a shared secret.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, NamedTuple

import jwt
import msgspec

from eventstream.gateway.access.patterns import Topics

LEEWAY_S = 30.0
"""How far the clocks of whoever makes tokens and of this machine may be apart."""
READ_SUFFIX = "_read"
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_OF_CURVE = {
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "Ed25519": frozenset({"EdDSA"}),
    "Ed448": frozenset({"EdDSA"}),
}
ALGORITHMS = _RSA.union(*_OF_CURVE.values())
_MIN_RSA_BITS = 2048
_MAX_KEYS = 100
_CHECKED_HERE: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""The library checks the signature; claims are checked below, at a time that is passed in."""


class InvalidToken(Exception):
    """A token is refused; the text is one of few, and says nothing of the token's content."""


class UnknownSigningKey(Exception):
    """No key at hand has the token's key id."""


class SigningKey(NamedTuple):
    """A public key and the algorithms a token may be signed with by its owner."""

    public: Any
    algorithms: frozenset[str]


class Expected(NamedTuple):
    """What a token has to say.

    Attributes:
        issuer: Who made it (`iss`).
        audience: Whom it is for (`aud`), perhaps among others.
        topics_claim: The claim that lists the topics it may write to; with `_read` behind it, those
            it may read.
    """

    issuer: str
    audience: str
    topics_claim: str


class Grant(NamedTuple):
    """What a valid token allows.

    Attributes:
        subject: Who its bearer is (`sub`).
        write: Topics it may write to.
        read: Topics it may read.
        ends_s: When it is no longer valid, leeway included, in seconds since the epoch.
    """

    subject: str
    write: Topics
    read: Topics
    ends_s: float


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    crit: Any = None


class _KeySet(msgspec.Struct):
    keys: list[Any]


def signing_keys(content: bytes) -> dict[str | None, SigningKey]:
    """Read a JSON Web Key Set (RFC 7517, section 5).

    Keys are left out that are not for signatures, not public, of an unknown kind, or too weak. A
    key without an id is found by tokens without one, if it is the only such key.

    Returns:
        The keys by their id.

    Raises:
        ValueError: It is no key set, or has no key of use; the text says which.
    """
    try:
        entries = msgspec.json.decode(content, type=_KeySet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is not a JSON Web Key Set") from None
    found: dict[str | None, SigningKey] = {}
    ambiguous: set[str | None] = set()
    for entry in entries[:_MAX_KEYS]:
        key = _signing_key(entry)
        if key is not None:
            kid = entry.get("kid")
            if kid in found:
                ambiguous.add(kid)
            found[kid] = key
    for kid in ambiguous:
        del found[kid]
    if not found:
        raise ValueError("no key in it is a public key for signatures that can be used here")
    if len(found) == 1:
        found[None] = next(iter(found.values()))
    return found


def _signing_key(entry: Any) -> SigningKey | None:
    if not isinstance(entry, dict) or not _is_for_signatures(entry):
        return None
    algorithms = _algorithms(entry)
    if not algorithms:
        return None
    try:
        public = jwt.PyJWK(entry, min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if entry["kty"] == "RSA" and public.key_size < _MIN_RSA_BITS:
        return None
    return SigningKey(public, algorithms)


def _is_for_signatures(entry: dict[str, Any]) -> bool:
    """Whether a key is public, and to check signatures with (RFC 7517, sections 4.2 and 4.3)."""
    operations = entry.get("key_ops", ["verify"])
    return (
        isinstance(entry.get("kid", ""), str)
        and isinstance(operations, list)
        and "verify" in operations
        and entry.get("use", "sig") == "sig"
        and "d" not in entry
    )


def _algorithms(entry: dict[str, Any]) -> frozenset[str]:
    """Name the algorithms of a key's kind, or the one it is for (RFC 7517, section 4.4)."""
    kind, curve = str(entry.get("kty")), str(entry.get("crv"))
    suitable: frozenset[str] = frozenset()
    if kind == "RSA":
        suitable = _RSA
    elif kind in {"EC", "OKP"}:
        suitable = _OF_CURVE.get(curve, suitable)
    return suitable if "alg" not in entry else suitable & {str(entry["alg"])}


def verify(
    token: str, keys: dict[str | None, SigningKey], expected: Expected, now_s: float
) -> Grant:
    """Check a token.

    Args:
        token: Three parts in base64url, as it came.
        keys: The keys at hand, by id.
        expected: What it has to say.
        now_s: The time, in seconds since the epoch.

    Raises:
        UnknownSigningKey: Its key is not at hand; nothing else was checked.
        InvalidToken: It is refused.
    """
    header = _header(token)
    if header.alg not in ALGORITHMS:
        raise InvalidToken("the token is signed with an algorithm that is not accepted")
    if header.crit is not None:
        raise InvalidToken("the token has critical extensions that are not known here")
    key = keys.get(header.kid)
    if key is None:
        raise UnknownSigningKey
    if header.alg not in key.algorithms:
        raise InvalidToken("the token is signed with an algorithm that its key is not for")
    try:
        claims = jwt.decode(token, key.public, algorithms=[header.alg], options=_CHECKED_HERE)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidToken("the token's signature is not valid") from None
    return _grant(claims, expected, now_s)


def _header(token: str) -> _Header:
    """Read a token's header, which nobody vouches for yet."""
    part, *others = token.split(".")
    if len(others) != len(("payload", "signature")):
        raise InvalidToken("this is neither an API key nor a token")
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=_Header)
    except (ValueError, binascii.Error, msgspec.DecodeError, RecursionError):
        raise InvalidToken("this is neither an API key nor a token") from None


def _grant(claims: dict[str, Any], expected: Expected, now_s: float) -> Grant:
    if claims.get("iss") != expected.issuer:
        raise InvalidToken("the token is of another issuer")
    audience = claims.get("aud")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidToken("the token is for another audience")
    ends_s = _time(claims, "exp") + LEEWAY_S
    if now_s >= ends_s:
        raise InvalidToken("the token has expired")
    if "nbf" in claims and now_s < _time(claims, "nbf") - LEEWAY_S:
        raise InvalidToken("the token is not valid yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidToken("the token has no subject")
    write = _topics(claims, expected.topics_claim)
    read = _topics(claims, expected.topics_claim + READ_SUFFIX)
    return Grant(subject, write, read, ends_s)


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidToken(f"the token's {name} is missing or is no time")
    return value


def _topics(claims: dict[str, Any], name: str) -> Topics:
    """Read a claim of topics: a list, or one text with blanks between them as `scope` has."""
    given = claims.get(name, [])
    patterns = given.split() if isinstance(given, str) else given
    try:
        return Topics(patterns)
    except (ValueError, TypeError):
        raise InvalidToken("a claim of topics lists something that is no topic") from None
