"""What other machines can reach of the gateway: checked before it listens."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, Any

from eventstream.errors import InvalidSetting

if TYPE_CHECKING:
    from pathlib import Path

    from eventstream.settings import AccessSettings


def require_protection(host: str, settings: AccessSettings) -> list[str]:
    """Refuse to serve other machines with neither authentication nor TLS.

    Args:
        host: The address to listen on.
        settings: What protects it.

    Returns:
        Sentences for the log on what is still open.

    Raises:
        InvalidSetting: It is reachable and nothing protects it.
    """
    if is_loopback(host):
        return []
    authenticated = settings.keys_file is not None or settings.jwt_jwks is not None
    encrypted = settings.tls_cert is not None
    if not (authenticated or encrypted or settings.insecure):
        raise InvalidSetting(
            f"On {host} every machine that reaches this one could write: give --keys-file (see"
            " eventstream keys create), --jwt-jwks or --tls-cert, listen on --host 127.0.0.1, or"
            " allow it with --insecure."
        )
    warnings = []
    if not (authenticated or settings.tls_client_ca is not None):
        warnings.append(f"whoever reaches {host} may write to every topic: nobody has to say who")
    if not encrypted:
        warnings.append(
            f"what goes to and from {host} can be read on the way, keys and tokens too, unless a"
            " proxy in front speaks TLS"
        )
    return warnings


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach an address; a name is looked up."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None)  # noqa: S104 - to say that it is open
    except OSError:
        return False
    return all(_is_loopback(str(where[4][0])) for where in found)


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def tls_options(settings: AccessSettings) -> dict[str, Any]:
    """Give uvicorn's options for TLS, empty without; the files were tried once.

    TLS 1.2 is the least a client may speak, which is the default of Python's own contexts.

    Raises:
        InvalidSetting: A file is missing, cannot be read, or does not go with the others.
    """
    cert, key, authorities = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if cert is None:
        given = "--tls-key" if key is not None else "--tls-client-ca" if authorities else ""
        if given:
            raise InvalidSetting(f"{given} is of no use without --tls-cert; give both.")
        return {}
    if key is None:
        raise InvalidSetting("--tls-cert needs its private key: give --tls-key.")
    _try(cert, key, authorities)
    options: dict[str, Any] = {
        "ssl_certfile": str(cert),
        "ssl_keyfile": str(key),
        "ssl_version": ssl.PROTOCOL_TLS_SERVER,
        "ssl_cert_reqs": ssl.CERT_NONE,
    }
    if authorities is not None:
        options |= {"ssl_ca_certs": str(authorities), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def _try(cert: Path, key: Path, authorities: Path | None) -> None:
    _readable("--tls-cert", cert)
    _readable("--tls-key", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidSetting(_mismatch(cert, key, error)) from None
    if authorities is not None:
        _readable("--tls-client-ca", authorities)
        try:
            context.load_verify_locations(authorities)
        except (ssl.SSLError, ValueError):
            raise InvalidSetting(
                f"--tls-client-ca {authorities} has no certificates in PEM in it."
            ) from None


def _mismatch(cert: Path, key: Path, error: Exception) -> str:
    reason = getattr(error, "reason", "") or ""
    if "MISMATCH" in reason:
        return f"The private key {key} is not the one of the certificate {cert}."
    if isinstance(error, _Locked):
        return f"The private key {key} has a password, which is not supported; give one without."
    return f"{cert} and {key} are not a certificate and its private key in PEM."


class _Locked(ValueError):
    """A key asks for a password."""


def _no_password() -> str:
    """Say no, where OpenSSL would ask at the terminal."""
    raise _Locked


def _readable(flag: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise InvalidSetting(f"{flag} {file} cannot be read: {error.strerror}.") from None
