"""Every option, declared once.

A group is a frozen dataclass; a field carries its default, its help, its unit and its bounds. From
that one declaration come the command line's option (`--linger-ms`), the environment variable
(`EVENTSTREAM_LINGER_MS`), the check of the value and the table in docs/settings.md. The command
line wins over the environment, the environment over the default.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from eventstream.errors import InvalidSetting

if typing.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENV_PREFIX = "EVENTSTREAM_"
_KAFKA_PORT = 9092

Group = TypeVar("Group")


def option(
    default: Any,
    help: str,  # noqa: A002 - the word every command line uses for it
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Declare one setting as a dataclass field; `secret` keeps its value out of every `repr`."""
    metadata = {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata, repr=not secret)
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Option:
    """One declared setting, as the command line and the documentation see it."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return ENV_PREFIX + self.name.upper()


def options_of(group: type[Any]) -> Iterator[Option]:
    """List the options of a settings group in the order they are declared."""
    hints = typing.get_type_hints(group)
    for field in dataclasses.fields(group):
        default = (
            field.default_factory()
            if field.default_factory is not dataclasses.MISSING
            else field.default
        )
        yield Option(field.name, hints[field.name], default, field.metadata["help"])


class _Checked:
    """Checks bounds and choices when a group is made, whoever makes it."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            bounds = field.metadata
            flag = "--" + field.name.replace("_", "-")
            if bounds["minimum"] is not None and value is not None and value < bounds["minimum"]:
                raise InvalidSetting(
                    f"{flag} is {value}, but the least it can be is {bounds['minimum']}."
                )
            if bounds["maximum"] is not None and value is not None and value > bounds["maximum"]:
                raise InvalidSetting(
                    f"{flag} is {value}, but the most it can be is {bounds['maximum']}."
                )
            if bounds["choices"] and value not in bounds["choices"]:
                raise InvalidSetting(
                    f"{flag} is {value!r}; choose one of {', '.join(bounds['choices'])}."
                )


def from_environment(group: type[Group], environment: Mapping[str, str], **overrides: Any) -> Group:
    """Make a settings group from environment variables, with `overrides` above them.

    Raises:
        InvalidSetting: A variable's text is not of its option's type, or out of bounds.
    """
    values: dict[str, Any] = {}
    for declared in options_of(group):
        text = environment.get(declared.variable)
        if text is not None:
            values[declared.name] = parse(declared, text)
    return group(**{**values, **overrides})


def parse(declared: Option, text: str) -> Any:
    """Read one option's value from text; blanks separate the values of one that takes several.

    Raises:
        InvalidSetting: The text is not of the option's type.
    """
    kind = declared.type
    if isinstance(kind, types.UnionType):
        if text == "":
            return None
        kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
    if typing.get_origin(kind) is tuple:
        return tuple(text.split())
    if kind is bool:
        lowered = text.lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"0", "false", "no", "off"}:
            return False
        raise InvalidSetting(f"{declared.variable} is {text!r}; write true or false.")
    try:
        return kind(text)
    except ValueError:
        raise InvalidSetting(
            f"{declared.variable} is {text!r}, which is not a {kind.__name__}."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(_Checked):
    """How to reach Kafka."""

    bootstrap_servers: str = option(
        "localhost:9092", "Kafka brokers to ask first, host:port, several separated by commas."
    )
    kafka_option: tuple[str, ...] = option(
        (),
        "A further option of the Kafka client, name=value, as librdkafka spells it"
        " (security.protocol=SASL_SSL); may be given several times.",
        secret=True,
    )

    kafka_options_file: Path | None = option(
        None,
        "A file of such options, name=value a line, # before a comment: for passwords, which other"
        " users of the machine could read on a command line. --kafka-option wins over it.",
    )

    def client_options(self) -> dict[str, str]:
        """Options for every Kafka client of ours.

        Raises:
            InvalidSetting: A broker has no address; an option is not of the form name=value, or the
                file cannot be read: then the sentence shows none of the text, which may be a part
                of a password.
        """
        options = {"bootstrap.servers": self.bootstrap_servers}
        if self.kafka_options_file is not None:
            options |= _options_in(self.kafka_options_file)
        for number, pair in enumerate(self.kafka_option, 1):
            options |= _option(pair, f"--kafka-option number {number}")
        broker_addresses(options["bootstrap.servers"])
        return options


def broker_addresses(text: str) -> list[tuple[str, int]]:
    """Read brokers' addresses: host:port, separated by commas; a port left out is 9092.

    Raises:
        InvalidSetting: There is none, or one is no address.
    """
    found = [_address(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise InvalidSetting(f"--bootstrap-servers names no broker; {_WRITE_ADDRESSES}.")
    return found


_WRITE_ADDRESSES = "write host:port, several separated by commas"
_ADDRESS = re.compile(r"(?:\w+://)?(\[[0-9a-fA-F:.]+\]|[^:/\s]+)(?::(\d{1,5}))?")
_MOST_PORT = 65_535


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    port = int(found[2] or _KAFKA_PORT) if found else 0
    if found is None or not 0 < port <= _MOST_PORT:
        raise InvalidSetting(
            f"{text!r} of --bootstrap-servers is no broker's address; {_WRITE_ADDRESSES}."
        )
    return found[1].strip("[]"), port


def _options_in(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidSetting(f"--kafka-options-file {file} cannot be read: {reason}.") from None
    options: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            options |= _option(line, f"Line {number} of {file}")
    return options


def _option(pair: str, which: str) -> dict[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name.strip():
        raise InvalidSetting(
            f"{which} has no value; write it as name=value, for example client.rack=a."
        )
    return {name.strip(): value.strip()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings(_Checked):
    """How events are sent."""

    linger_ms: float = option(
        1.0,
        "How long an event waits for others while earlier ones are under way, in milliseconds; more"
        " costs less CPU. An event that finds nothing under way is sent at once.",
        minimum=0,
        maximum=1000,
    )
    compression: str = option(
        "none",
        "How batches are compressed on their way to Kafka and on its disks.",
        choices=("none", "gzip", "snappy", "lz4", "zstd"),
    )
    max_record_bytes: int = option(
        1_000_000,
        "The largest record (key, value and headers) that is sent, in bytes;"
        " a topic's max.message.bytes may be lower.",
        minimum=1024,
        maximum=1_000_000_000,
    )
    delivery_timeout_s: float = option(
        30.0,
        "How long an event may wait for Kafka's acknowledgement, retries included, in seconds;"
        " after that its outcome is unknown.",
        minimum=1,
        maximum=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkProducerSettings(ProducerSettings):
    """How many events are sent at once: batches may wait longer for company."""

    linger_ms: float = option(
        20.0,
        "How long the producer waits for more events before it sends a batch, in milliseconds.",
        minimum=0,
        maximum=1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(_Checked):
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
class KeyFileSettings(_Checked):
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
class IdempotencySettings(_Checked):
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
class TailingSettings(_Checked):
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
class SchemaSettings(_Checked):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(_Checked):
    """The processes that run handlers."""

    group: str = option("eventstream", "The consumer group; processes of one group share topics.")
    processes: int = option(1, "Worker processes on this machine.", minimum=1, maximum=256)
    reload: bool = option(
        False, "For development: restart when a file of the app changes; see docs/workers.md."
    )
    instance_id: str | None = option(
        None,
        "A name in the group that no other machine has: process n is its static member NAME-n, and"
        " keeps its partitions over a restart.",
    )
    from_beginning: bool = option(
        True,
        "Where a group without a position starts: at the oldest event, or at the newest.",
    )
    max_in_flight: int = option(
        50_000,
        "Events a process has taken and whose end is not on record; at the bound it reads no more.",
        minimum=1,
    )
    max_in_flight_bytes: int = option(
        128_000_000, "Bytes of those events; at the bound it reads no more.", minimum=1024
    )
    commit_interval_s: float = option(
        0.1, "The longest a finished event waits to be committed, in seconds.", minimum=0.001
    )
    drain_timeout_s: float = option(
        30.0,
        "How long a stop, or a partition moving away, waits for running handlers, in seconds.",
        minimum=0,
    )
    blocked_after_s: float = option(
        1.0,
        "How long a handler may block the event loop before a warning says where it stands, in"
        " seconds.",
        minimum=0.05,
    )
    metrics_port: int | None = option(
        None,
        "Port of a /metrics of the worker's own, where no gateway on this machine serves it;"
        " 0 takes a free one.",
        minimum=0,
        maximum=65535,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings(_Checked):
    """What is written to standard error."""

    log_level: str = option(
        "info",
        "The least severe line that is written.",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = option(
        "auto",
        "`console` for people, `json` for machines: one object a line; `auto` chooses by whether"
        " standard error is a terminal.",
        choices=("auto", "console", "json"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings(_Checked):
    """Where local servers and their caches live."""

    home: Path = option(
        lambda: platformdirs.user_data_path("eventstream"),
        "Folder of local servers' data, logs and process files.",
    )
    cache: Path = option(
        lambda: platformdirs.user_cache_path("eventstream"),
        "Folder of downloaded jars and the JVM's start-up cache.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings(_Checked):
    """The databases that handlers write to."""

    postgres_dsn: str | None = option(
        None,
        "How to reach PostgreSQL: postgresql://user:password@host:port/database. Where it is not"
        " given, `eventstream up --with postgres` starts one and gives it to gateway and worker.",
        secret=True,
    )
    redis_url: str | None = option(
        None,
        "How to reach Redis or Valkey: redis://user:password@host:port/0. Where it is not given,"
        " `eventstream up --with redis` starts a Valkey; likewise.",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(_Checked):
    """The local Kafka."""

    brokers: int = option(1, "Brokers in the local cluster.", minimum=1, maximum=9)
    broker_port: int = option(
        9092,
        "Port of the first broker; the next ones follow it. 0 takes free ones.",
        minimum=0,
        maximum=65535,
    )
    fresh: bool = option(False, "Wipe the data of the local cluster first.")


GROUPS: tuple[type[Any], ...] = (
    KafkaSettings,
    ProducerSettings,
    BulkProducerSettings,
    GatewaySettings,
    KeyFileSettings,
    AccessSettings,
    IdempotencySettings,
    TailingSettings,
    SchemaSettings,
    WorkerSettings,
    LogSettings,
    HomeSettings,
    StoreSettings,
    BrokerSettings,
)
"""Every settings group, in the order the documentation lists them."""
