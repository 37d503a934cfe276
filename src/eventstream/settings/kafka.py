"""How Kafka is reached, and how events are sent there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eventstream.errors import InvalidSetting
from eventstream.settings.options import Checked, option

_KAFKA_PORT = 9092


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(Checked):
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
class ProducerSettings(Checked):
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
