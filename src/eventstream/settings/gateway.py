"""The gateway: what it takes, from whom, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eventstream.settings.options import Checked, option


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(Checked):
    """The HTTP gateway."""

    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(
        8080, "Port to listen on; 0 takes a free one and prints it.", minimum=0, maximum=65535
    )
    workers: int = option(
        1,
        "Processes that serve; each has a producer, and bounds of its own.",
        minimum=1,
        maximum=256,
    )
    fast_lane: bool = option(
        True,
        "Answer publishes without going through ASGI; off only to compare, the answers are the"
        " same.",
    )
    default_topic: str = option("events", "The topic that POST /publish without a name writes to.")
    max_body_bytes: int = option(
        16_000_000, "The largest request body, in bytes.", minimum=1024, maximum=1_000_000_000
    )
    max_head_bytes: int = option(
        32_768,
        "The largest request line and headers together, in bytes.",
        minimum=1024,
        maximum=1_000_000,
    )
    max_connections: int = option(
        10_000,
        "Connections that one process keeps open; a further one is answered 503 and closed.",
        minimum=1,
        maximum=1_000_000,
    )
    max_in_flight: int = option(
        100_000,
        "Events waiting for Kafka's acknowledgement in one process; beyond it the gateway answers"
        " 503 with Retry-After.",
        minimum=1,
    )
    max_in_flight_bytes: int = option(
        256_000_000,
        "Bytes of values and keys waiting for acknowledgement in one process; likewise.",
        minimum=1024,
    )
    keep_alive_s: float = option(
        75.0, "How long an idle connection is kept open, in seconds.", minimum=1
    )
    request_timeout_s: float = option(
        30.0,
        "How long a client may take to send one request, head and body, in seconds.",
        minimum=1,
    )
    grace_s: float = option(
        35.0,
        "How long a stopping gateway waits for the requests it has taken, in seconds.",
        minimum=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileSettings(Checked):
    """Where API keys are kept."""

    keys_file: Path | None = option(
        None,
        "The file of API keys, made by `eventstream keys create`; with it every request needs a"
        " key or a token. A change counts within a second.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings(KeyFileSettings):
    """Who may write through the gateway, and how callers reach it; see docs/access.md."""

    jwt_jwks: str | None = option(
        None,
        "URL (https) or file of the JSON Web Key Set that signs callers' tokens; with it every"
        " request needs a token or a key.",
    )
    jwt_issuer: str | None = option(None, "The `iss` a token must have; needed with --jwt-jwks.")
    jwt_audience: str | None = option(
        None, "The `aud` a token must have, or have among others; needed with --jwt-jwks."
    )
    jwt_topics_claim: str = option(
        "topics",
        "The claim that lists the topics a token may write to; the claim of that name with _read"
        " behind it lists those it may read.",
    )
    cors_origins: tuple[str, ...] = option(
        (),
        "A web origin (https://app.example.com) whose pages may call the gateway; may be given"
        " several times.",
    )
    tls_cert: Path | None = option(
        None, "File of the certificate, in PEM with its chain; the gateway then speaks HTTPS."
    )
    tls_key: Path | None = option(
        None, "File of the certificate's private key, in PEM and without a password."
    )
    tls_client_ca: Path | None = option(
        None,
        "File of the authorities, in PEM, one of which must have signed every caller's"
        " certificate (mutual TLS).",
    )
    insecure: bool = option(
        False,
        "Serve other machines without authentication and without TLS: for a network where everyone"
        " may write.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencySettings(Checked):
    """What the gateway remembers of requests with an Idempotency-Key."""

    idempotency_store: str = option(
        "memory",
        "Where keys and answers are kept: `memory` is of one process and ends with it; `postgres`"
        " is shared by all gateways, and survives them.",
        choices=("memory", "postgres"),
    )
    idempotency_dsn: str | None = option(
        None,
        "How to reach that PostgreSQL: postgresql://user:password@host:port/database.",
        secret=True,
    )
    idempotency_ttl_s: float = option(
        86_400.0, "How long a key and its answer are remembered, in seconds.", minimum=1
    )
    idempotency_max_keys: int = option(
        200_000,
        "The most keys in memory; at the bound the oldest answers are forgotten early.",
        minimum=1,
    )
    idempotency_max_bytes: int = option(
        256_000_000, "The most bytes they take, about; likewise.", minimum=10_000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TailingSettings(Checked):
    """Reading topics over HTTP, as streams of events."""

    events_max_clients: int = option(
        1000,
        "Streams of events that are open at once in one process; beyond it the gateway answers"
        " 503.",
        minimum=1,
    )
    events_max_topics: int = option(
        64,
        "Topics that are streamed at once in one process, each read by one Kafka consumer;"
        " likewise.",
        minimum=1,
    )
    events_client_bytes: int = option(
        8_000_000,
        "How far a stream's client may fall behind the foremost one of its topic, in bytes of the"
        " stream, before it is dropped; so much of each topic is kept in memory, once for all"
        " its clients.",
        minimum=65_536,
    )
    events_heartbeat_s: float = option(
        15.0,
        "How long a stream may be silent before a comment says that it lives, in seconds.",
        minimum=0.05,
    )
    events_stall_s: float = option(
        30.0,
        "How long a stream's client may take nothing at all before it is dropped, in seconds.",
        minimum=0.1,
    )
    events_catch_up_readers: int = option(
        4,
        "Kafka consumers in one process for clients that start further back than what is in"
        " memory; more such clients take turns.",
        minimum=1,
        maximum=64,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSettings(Checked):
    """What events must look like to be let in."""

    schemas: Path | None = option(
        None,
        "Folder of JSON Schemas, <topic>.json each; events of these topics are checked. It is"
        " followed while the gateway runs, and changed by PUT /schemas/<topic>.",
    )
    schema_compatibility: str = option(
        "backward",
        "What a change of a schema by PUT must keep: `backward`, what was valid stays valid;"
        " `forward`, what is valid was valid; `full`, both; or nothing.",
        choices=("none", "backward", "forward", "full"),
    )
