"""What the files of a broker say: text from nouns, nothing read or written here."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOST = "127.0.0.1"
DATA = "data"
LOG = "broker.log"
PREVIOUS_LOG = "previous.log"
CONSOLE = "console.log"
_FAULT_TOLERANT = 3
_LOG_BYTES = 10_000_000
_LOG_BACKUPS = 2
_COMPACTION_BYTES = 16_000_000
"""Enough to compact 600,000 keys at a time; Kafka's 128 MB would be 40% of the broker's memory."""


class Node(NamedTuple):
    """One broker, which is a controller too.

    Attributes:
        node: Its node id, from 1.
        port: Where clients reach it.
        controller_port: Where the controllers reach each other.
    """

    node: int
    port: int
    controller_port: int


def addresses(ports: Iterable[int]) -> str:
    """Return where clients reach brokers on these ports."""
    return ",".join(f"{HOST}:{port}" for port in ports)


def server_properties(node: Node, nodes: Sequence[Node]) -> str:
    """Return one broker's server.properties.

    Paths are relative to the broker's folder, in which it runs, so no name of a folder above it
    can mean anything to Kafka: a comma there would otherwise be two data folders.
    """
    replication = min(len(nodes), _FAULT_TOLERANT)
    min_in_sync = max(1, replication - 1)
    voters = ",".join(f"{each.node}@{HOST}:{each.controller_port}" for each in nodes)
    properties = {
        "process.roles": "broker,controller",
        "node.id": node.node,
        "controller.quorum.voters": voters,
        "listeners": f"CLIENTS://{HOST}:{node.port},CONTROLLERS://{HOST}:{node.controller_port}",
        "advertised.listeners": f"CLIENTS://{HOST}:{node.port}",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLERS",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLERS:PLAINTEXT",
        "log.dirs": DATA,
        "auto.create.topics.enable": "false",
        "default.replication.factor": replication,
        "min.insync.replicas": min_in_sync,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": _COMPACTION_BYTES,
        **_internal_topics(replication, min_in_sync),
        **_quick_to_notice(len(nodes)),
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _internal_topics(replication: int, min_in_sync: int) -> dict[str, object]:
    """A developer's few groups and transactions need few partitions; each costs time to make."""
    return {
        "offsets.topic.replication.factor": replication,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": min_in_sync,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": min_in_sync,
        "share.coordinator.state.topic.num.partitions": 8,
    }


def _quick_to_notice(brokers: int) -> dict[str, object]:
    """Brokers on one machine need no allowance for a network.

    A killed broker is replaced as leader once its session is over, and can register again only
    then. It asks after 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 seconds, so each session here ends just before
    such a moment: with Kafka's nine seconds a lone broker takes 12 s to be back after a kill.
    """
    alone = brokers == 1
    return {
        "broker.heartbeat.interval.ms": 200 if alone else 500,
        "broker.session.timeout.ms": 1400 if alone else 3000,
        "controller.quorum.election.timeout.ms": 400,
        "controller.quorum.election.backoff.max.ms": 400,
    }


def logging_properties() -> str:
    """Return the configuration of reload4j: the broker's log, bounded in size.

    Left out is what Kafka says most about: every one of its settings, five times a start.
    """
    return (
        "log4j.rootLogger=INFO, file\n"
        "log4j.logger.org.apache.kafka.common.config.AbstractConfig=WARN\n"
        "log4j.appender.file=org.apache.log4j.RollingFileAppender\n"
        f"log4j.appender.file.File={LOG}\n"
        f"log4j.appender.file.MaxFileSize={_LOG_BYTES}\n"
        f"log4j.appender.file.MaxBackupIndex={_LOG_BACKUPS}\n"
        "log4j.appender.file.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.file.layout.ConversionPattern="
        "%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c: %m%n\n"
    )


def meta_properties(cluster_id: str, node: int, directory_id: str) -> str:
    """Return the file that marks a data folder as one node's of one cluster."""
    return f"version=1\ncluster.id={cluster_id}\nnode.id={node}\ndirectory.id={directory_id}\n"


def parse_properties(text: str) -> dict[str, str]:
    """Read the plain name=value lines of a properties file."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#!")
    return {name.strip(): value.strip() for name, _, value in pairs}


def new_id() -> str:
    """Return a random id as Kafka writes them: 16 bytes in URL-safe base64, never a leading `-`."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not text.startswith("-"):
            return text
