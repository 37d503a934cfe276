"""Issuers of tokens: keys of their own, and a server that publishes them."""

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://login.example.com/"
AUDIENCE = "eventstream"
NOW_S = 1_800_000_000.0
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PUBLISHED = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
KEYS = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def claims(**others):
    """Claims of a token that is good at NOW_S; `None` leaves one out."""
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "orders-service",
        "exp": NOW_S + 60,
        "topics": ["orders"],
    }
    return {name: value for name, value in {**usual, **others}.items() if value is not None}


def token(key=EC_KEY, algorithm="ES256", kid="one", headers=None, **others):
    headers = {**({"kid": kid} if kid else {}), **(headers or {})}
    content = json.dumps(claims(**others)).encode()
    return jwt.PyJWS().encode(content, key, algorithm, headers=headers)


def public(key, algorithm="ES256", **members):
    """A public key as an entry of a key set."""
    entry = PUBLISHED[algorithm].to_jwk(key.public_key(), as_dict=True)
    entry.pop("key_ops", None)
    return {**entry, **members}


def key_set(*entries):
    return json.dumps({"keys": entries}).encode()


def unsigned(header, body):
    """A token's first two parts, as its signature covers them."""
    parts = (json.dumps(part).encode() for part in (header, body))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


class KeySetServer(ThreadingHTTPServer):
    """Publishes a key set on this machine; what it answers may be changed at any time."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content = b""
        self.status = 200
        self.location = ""
        self.asked = 0
        self.url = f"http://127.0.0.1:{self.server_port}/keys"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked += 1
        self.send_response(server.status)
        if server.location:
            self.send_header("Location", server.location)
        self.end_headers()
        self.wfile.write(server.content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def publishing(*entries):
    with KeySetServer() as server:
        server.content = key_set(*entries)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
