"""Tokens: what is good, and each way in which one is not."""

import base64
import hashlib
import hmac
import json
import math

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from issuers import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    KEYS,
    NOW_S,
    RSA_KEY,
    claims,
    key_set,
    public,
    token,
    unsigned,
)

from eventstream.gateway.access.tokens import (
    LEEWAY_S,
    Expected,
    InvalidToken,
    UnknownSigningKey,
    signing_keys,
    verify,
)

EXPECTED = Expected(ISSUER, AUDIENCE, "topics")
KNOWN = signing_keys(key_set(public(EC_KEY, kid="one"), public(RSA_KEY, "RS256", kid="rsa")))


def checked(text, keys=KNOWN, now_s=NOW_S, expected=EXPECTED):
    return verify(text, keys, expected, now_s)


def changed(text, part, how):
    parts = text.split(".")
    parts[part] = how(parts[part])
    return ".".join(parts)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_good_token_says_who_may_do_what_until_when(algorithm):
    keys = signing_keys(key_set(public(KEYS[algorithm], algorithm, kid="k")))
    grant = checked(token(KEYS[algorithm], algorithm, "k", topics_read="a b.*"), keys)
    assert grant.subject == "orders-service"
    assert grant.ends_s == NOW_S + 60 + LEEWAY_S
    assert grant.write.allow("orders")
    assert not grant.write.allow("a")
    assert grant.read.allow("b.c")
    assert not grant.read.allow("orders")


def test_one_audience_among_several_is_enough():
    assert checked(token(aud=["other", AUDIENCE]))


def test_the_topics_claim_has_any_name():
    expected = EXPECTED._replace(topics_claim="https://example.com/topics")
    grant = checked(token(**{"https://example.com/topics": "pay.*"}), expected=expected)
    assert grant.write.allow("pay.in")
    assert not grant.write.allow("orders")


def test_a_token_without_topics_may_do_nothing():
    grant = checked(token(topics=None))
    assert not grant.write.allow("orders")
    assert not grant.read.allow("orders")


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"iss": "https://evil.example.com/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": ["other"]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": AUDIENCE + "x"}, "another audience"),
        ({"exp": NOW_S - LEEWAY_S}, "has expired"),
        ({"exp": None}, "exp is missing"),
        ({"exp": True}, "exp is missing"),
        ({"exp": "9999999999"}, "exp is missing"),
        ({"exp": math.nan}, "exp is missing"),
        ({"exp": math.inf}, "exp is missing"),
        ({"nbf": NOW_S + LEEWAY_S + 1}, "not valid yet"),
        ({"nbf": "now"}, "nbf is missing or is no time"),
        ({"sub": ""}, "no subject"),
        ({"topics": ["or ders"]}, "no topic"),
        ({"topics": 7}, "no topic"),
        ({"topics": [7]}, "no topic"),
        ({"topics": {"or ders": 1}}, "no topic"),
    ],
)
def test_a_claim_that_is_wrong_refuses_the_token(others, reason):
    text = token(**others)
    with pytest.raises(InvalidToken, match=reason):
        checked(text)


def test_a_token_without_a_subject_is_refused():
    with pytest.raises(InvalidToken, match="no subject"):
        checked(token(sub=None))


def test_clocks_may_differ_a_little():
    assert checked(token(exp=NOW_S - LEEWAY_S + 1))
    assert checked(token(nbf=NOW_S + LEEWAY_S))


# Attacks on the signature


def test_a_changed_token_is_refused():
    text = token()
    flip = {"A": "B"}
    for part in (1, 2):
        forged = changed(text, part, lambda old: flip.get(old[5], "A").join((old[:5], old[6:])))
        with pytest.raises(InvalidToken, match="signature is not valid"):
            checked(forged)


def test_a_token_without_a_signature_is_refused():
    for algorithm in ("none", "None", "NONE", ""):
        header = {"alg": algorithm, "kid": "one", "typ": "JWT"}
        with pytest.raises(InvalidToken, match="algorithm that is not accepted"):
            checked(unsigned(header, claims()) + ".")
    with pytest.raises(InvalidToken, match="signature is not valid"):
        checked(unsigned({"alg": "ES256", "kid": "one"}, claims()) + ".")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("kid", ["one", "rsa"])
def test_a_public_key_is_no_shared_secret(algorithm, kid):
    key = {"one": EC_KEY, "rsa": RSA_KEY}[kid].public_key()
    signed = unsigned({"alg": algorithm, "kid": kid}, claims())
    for secret in (
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public(*{"one": (EC_KEY, "ES256"), "rsa": (RSA_KEY, "RS256")}[kid])).encode(),
    ):
        mac = hmac.digest(secret, signed.encode(), getattr(hashlib, f"sha{algorithm[2:]}"))
        forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        with pytest.raises(InvalidToken, match="algorithm that is not accepted"):
            checked(forged)


def test_a_key_checks_no_algorithm_of_another_kind():
    with pytest.raises(InvalidToken, match="its key is not for"):
        checked(token(RSA_KEY, "RS256", kid="one"))
    with pytest.raises(InvalidToken, match="its key is not for"):
        checked(token(EC_KEY, "ES256", kid="rsa"))


def test_a_key_for_one_algorithm_checks_no_other_of_its_kind():
    keys = signing_keys(key_set(public(RSA_KEY, "RS256", kid="rsa", alg="RS256")))
    assert checked(token(RSA_KEY, "RS256", kid="rsa"), keys)
    with pytest.raises(InvalidToken, match="its key is not for"):
        checked(token(RSA_KEY, "PS256", kid="rsa"), keys)
    assert checked(token(RSA_KEY, "PS256", kid="rsa"))


def test_another_ones_key_is_not_believed_though_the_token_brings_it():
    mallory = ec.generate_private_key(ec.SECP256R1())
    headers = {"jwk": public(mallory), "jku": "http://evil.example.com/keys"}
    with pytest.raises(InvalidToken, match="signature is not valid"):
        checked(token(mallory, headers=headers))


def test_an_unknown_key_is_told_apart():
    for text in (token(kid="two"), token(kid=None), token(kid="../../etc/passwd")):
        with pytest.raises(UnknownSigningKey):
            checked(text)


def test_a_token_without_a_key_id_goes_to_the_only_key():
    keys = signing_keys(key_set(public(EC_KEY, kid="one")))
    assert checked(token(kid=None), keys)


def test_extensions_that_must_be_understood_are_refused():
    with pytest.raises(InvalidToken, match="critical extensions"):
        checked(token(headers={"crit": ["b64"], "b64": True}))


def test_reasons_are_few_and_plain():
    for text in ("", ".", "..", "a.b.c", "é.a.b", "." * 5000, token() + ".", token() + "\n"):
        with pytest.raises(InvalidToken) as refused:
            checked(text)
        assert str(refused.value) in {
            "this is neither an API key nor a token",
            "the token's signature is not valid",
        }


def test_deep_nesting_is_refused():
    deep = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"one","x":' + b"[" * 5000).decode()
    with pytest.raises(InvalidToken):
        checked(f"{deep}.e30.AAAA")
    closed = b'{"alg":"ES256","kid":"one","x":' + b"[" * 3000 + b"]" * 3000 + b"}"
    with pytest.raises(InvalidToken):
        checked(f"{base64.urlsafe_b64encode(closed).decode().rstrip('=')}.e30.AAAA")


@given(st.text(max_size=200) | st.builds(".".join, st.lists(st.text("abcYZ0-_=", max_size=40))))
def test_any_text_is_refused_or_unknown(text):
    with pytest.raises((InvalidToken, UnknownSigningKey)):
        checked(text)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "enc"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from(["ES256", "RS256", "HS256", "none", "one", "rsa"])
        | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_any_header_is_refused_or_unknown(header):
    with pytest.raises((InvalidToken, UnknownSigningKey)):
        checked(unsigned(header, claims()) + ".AAAA")


# Key sets


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"keys":7}', b"\xff", b"[" * 100_000, b'{"keys":[]}', b'{"keys":[1,{}]}'],
)
def test_what_is_no_key_set_is_refused(content):
    with pytest.raises(ValueError, match=r"it is not a JSON Web Key Set|no key in it"):
        signing_keys(content)


def test_keys_that_are_not_for_this_are_left_out():
    good = public(EC_KEY, kid="good")
    private = jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY, as_dict=True)
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it has to be refused
    entries = [
        good,
        public(EC_KEY, kid="encrypts", use="enc"),
        public(EC_KEY, kid="signs", key_ops=["sign"]),
        public(EC_KEY, kid=7),
        public(EC_KEY, kid="twice"),
        public(RSA_KEY, "RS256", kid="twice"),
        public(RSA_KEY, "RS256", kid="wrong", alg="HS256"),
        public(RSA_KEY, "RS256", kid="half") | {"n": "!"},
        public(weak, "RS256", kid="weak"),
        {**private, "kid": "private"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": ["RSA"], "kid": "odd"},
        {"kty": "EC", "crv": "P-999", "kid": "curve"},
    ]
    assert signing_keys(key_set(*entries)).keys() == {"good", None}


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "alg", "use", "key_ops", "kid", "n", "e", "x", "y"]),
        st.none()
        | st.integers()
        | st.sampled_from(["RSA", "EC", "OKP", "P-256", "AQAB", "sig"])
        | st.lists(st.just("verify")),
    )
)
def test_an_odd_key_among_others_does_no_harm(entry):
    assert "good" in signing_keys(key_set(entry, public(EC_KEY, kid="good")))
