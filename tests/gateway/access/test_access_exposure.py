"""What other machines can reach: refused before anything listens."""

import ssl
from pathlib import Path

import pytest
import uvicorn

from certificates import Authority
from eventstream.errors import InvalidSetting
from eventstream.gateway.access.exposure import is_loopback, require_protection, tls_options
from eventstream.settings import AccessSettings

HERE = ("127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1")
OPEN = ("0.0.0.0", "::", "192.0.2.1", "", "no-such-name.invalid", "::ffff:192.0.2.1")  # noqa: S104
KEYS = {"keys_file": Path("keys.json")}
TOKENS = {"jwt_jwks": "https://login.example.com/keys"}
TLS = {"tls_cert": Path("a.crt"), "tls_key": Path("a.key")}
MUTUAL = {**TLS, "tls_client_ca": Path("ca.pem")}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_loopback_is_told_from_the_world():
    assert [host for host in (*HERE, *OPEN) if is_loopback(host)] == list(HERE)


@pytest.mark.parametrize("host", HERE)
def test_on_loopback_nothing_is_asked_for(host):
    assert require_protection(host, AccessSettings()) == []


@pytest.mark.parametrize("host", OPEN)
def test_elsewhere_an_open_gateway_is_refused_with_what_to_do(host):
    with pytest.raises(InvalidSetting, match=r"--keys-file .* --tls-cert, .* --insecure\.$"):
        require_protection(host, AccessSettings())


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        (KEYS, ["can be read on the way"]),
        (TOKENS, ["can be read on the way"]),
        (TLS, ["nobody has to say who"]),
        (MUTUAL, []),
        ({**KEYS, **TLS}, []),
        ({"insecure": True}, ["nobody has to say who", "can be read on the way"]),
    ],
)
def test_what_is_still_open_is_said(given, warnings):
    said = require_protection("0.0.0.0", AccessSettings(**given))  # noqa: S104
    assert len(said) == len(warnings)
    for sentence, part in zip(said, warnings, strict=True):
        assert part in sentence


# TLS


def test_without_a_certificate_there_is_no_tls():
    assert tls_options(AccessSettings()) == {}


def shake_hands(server, client):
    """Let two ends of TLS talk in memory; return the version, or raise what either end raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
    ]
    waiting = list(ends)
    for _ in range(20):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return ends[0].version()
    raise AssertionError("the handshake does not end")


def server_context(settings):
    config = uvicorn.Config(lambda: None, log_config=None, **tls_options(settings))
    config.load()
    return config.ssl


def client_context(authority, *certificate):
    context = ssl.create_default_context(cafile=authority.file)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def test_clients_speak_tls_of_1_2_at_least(authority):
    cert, key = authority.issue("gateway")
    server = server_context(AccessSettings(tls_cert=cert, tls_key=key))
    assert server.minimum_version >= ssl.TLSVersion.TLSv1_2
    client = client_context(authority)
    assert shake_hands(server, client) == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake_hands(server, client) == "TLSv1.2"


def test_with_an_authority_for_clients_each_needs_its_certificate(authority, tmp_path):
    cert, key = authority.issue("gateway")
    settings = AccessSettings(tls_cert=cert, tls_key=key, tls_client_ca=authority.file)
    stranger = Authority(tmp_path, "stranger").issue("mallory")
    assert shake_hands(
        server_context(settings), client_context(authority, *authority.issue("caller"))
    )
    for certificate in ((), stranger):
        with pytest.raises(ssl.SSLError):
            shake_hands(server_context(settings), client_context(authority, *certificate))


def test_files_that_do_not_go_together_are_refused_in_a_sentence(authority, tmp_path):
    cert, key = authority.issue("gateway")
    _, other_key = authority.issue("other")
    locked_cert, locked_key = authority.issue("locked", password=b"hush")
    absent, empty = tmp_path / "absent", tmp_path / "empty"
    empty.touch()
    for given, sentence in (
        ({"tls_cert": cert}, "give --tls-key"),
        ({"tls_key": key}, "--tls-key is of no use without --tls-cert"),
        ({"tls_client_ca": cert}, "--tls-client-ca is of no use without --tls-cert"),
        ({"tls_cert": absent, "tls_key": key}, "--tls-cert .*absent cannot be read: No such file"),
        ({"tls_cert": cert, "tls_key": tmp_path}, "--tls-key .* cannot be read: Is a directory"),
        ({"tls_cert": cert, "tls_key": other_key}, "is not the one of the certificate"),
        ({"tls_cert": cert, "tls_key": empty}, "are not a certificate and its private key"),
        ({"tls_cert": empty, "tls_key": key}, "are not a certificate and its private key"),
        ({"tls_cert": locked_cert, "tls_key": locked_key}, "has a password"),
        (
            {"tls_cert": cert, "tls_key": key, "tls_client_ca": empty},
            "--tls-client-ca .*empty has no certificates",
        ),
    ):
        with pytest.raises(InvalidSetting, match=sentence):
            tls_options(AccessSettings(**given))
