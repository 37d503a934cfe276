"""The requests that a producer sends, and their answers; pure.

Source: kafka.apache.org/protocol, by name; versions are those of `VERSIONS`, all flexible
(KIP-482), and the oldest that are: Kafka has them since 2.8.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from eventstream.log.native.primitives import NO_TAGS, Reader, compact_string, string, uvarint
from eventstream.log.native.records import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22
VERSIONS = {PRODUCE: 9, METADATA: 9, API_VERSIONS: 3, INIT_PRODUCER_ID: 2}
_NULL = b"\0"
_ALL_IN_SYNC = -1
_HEAD = struct.Struct(">hhi")


class Node(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as it is said."""
        return f"{self.host}:{self.port}"


class TopicLeaders(NamedTuple):
    """What metadata says of a topic.

    Attributes:
        error: Kafka's error code; 0 is none.
        leaders: Each partition's leader by id; -1 where there is none.
    """

    error: int
    leaders: dict[int, int]


class Metadata(NamedTuple):
    """What a broker knows of the cluster.

    Attributes:
        nodes: Brokers by id.
        topics: The topics that were asked for, by name.
    """

    nodes: dict[int, Node]
    topics: dict[str, TopicLeaders]


class Produced(NamedTuple):
    """What became of one partition's batch.

    Attributes:
        topic: The topic.
        partition: The partition.
        error: Kafka's error code; 0 is none.
        base_offset: The first record's offset.
        append_ms: The time that the log gave all records; -1 where they keep their own.
        faults: Numbers of the records that are why all were refused, where Kafka says so.
    """

    topic: str
    partition: int
    error: int
    base_offset: int
    append_ms: int
    faults: tuple[int, ...]


class UnsupportedVersion(Exception):
    """A broker that is too old.

    Attributes:
        api: The key of the request that it does not know in the version needed.
    """

    def __init__(self, api: int) -> None:
        super().__init__(api)
        self.api = api


def head(api: int, correlation: int, client_id: str) -> bytes:
    """Write a request's header, version 2."""
    return _HEAD.pack(api, VERSIONS[api], correlation) + string(client_id) + NO_TAGS


def read_head(api: int, reader: Reader) -> int:
    """Read an answer's header and return its correlation id; ApiVersions has one without tags."""
    correlation = reader.integer(4)
    if api != API_VERSIONS:
        reader.tags()
    return correlation


def api_versions_request(name: str, version: str) -> bytes:
    """Write what asks a broker which requests it knows; it is told the client's name."""
    return compact_string(name) + compact_string(version) + NO_TAGS


def check_api_versions(reader: Reader) -> None:
    """Check the answer.

    Raises:
        UnsupportedVersion: The broker lacks a request in the version needed.
    """
    if reader.integer(2):
        raise UnsupportedVersion(API_VERSIONS)
    known = {}
    for _ in reader.array():
        api = reader.integer(2)
        known[api] = (reader.integer(2), reader.integer(2))
        reader.tags()
    for api, version in VERSIONS.items():
        least, most = known.get(api, (0, -1))
        if not least <= version <= most:
            raise UnsupportedVersion(api)


def metadata_request(topics: Iterable[str]) -> bytes:
    """Write what asks for brokers and for these topics; none of them is made by asking."""
    names = [compact_string(topic) + NO_TAGS for topic in topics]
    return uvarint(len(names) + 1) + b"".join(names) + b"\0\0\0" + NO_TAGS


def read_metadata(reader: Reader) -> Metadata:
    """Read the answer."""
    reader.take(4)
    nodes = {}
    for _ in reader.array():
        node = reader.integer(4)
        nodes[node] = Node(reader.compact_string(), reader.integer(4))
        reader.compact_string()
        reader.tags()
    reader.compact_string()
    reader.take(4)
    topics = dict(_read_topic(reader) for _ in reader.array())
    return Metadata(nodes, topics)


def _read_topic(reader: Reader) -> tuple[str, TopicLeaders]:
    error, name = reader.integer(2), reader.compact_string()
    reader.take(1)
    leaders = {}
    for _ in reader.array():
        reader.take(2)
        partition = reader.integer(4)
        leaders[partition] = reader.integer(4)
        reader.take(4)
        for _ in range(3):  # replicas, those in sync, those offline
            reader.take(4 * len(reader.array()))
        reader.tags()
    reader.take(4)
    reader.tags()
    return name, TopicLeaders(error, leaders)


def identity_request() -> bytes:
    """Write what asks for a producer's identity."""
    return _NULL + struct.pack(">i", -1) + NO_TAGS


def read_identity(reader: Reader) -> tuple[int, Identity]:
    """Read the answer: Kafka's error code, and the identity."""
    reader.take(4)
    return reader.integer(2), Identity(reader.integer(8), reader.integer(2))


def produce_request(batches: Mapping[str, Iterable[tuple[int, bytes]]], timeout_ms: int) -> bytes:
    """Write what asks for batches to be written to all replicas in sync.

    Args:
        batches: By topic, partitions and the batch for each.
        timeout_ms: How long the broker may wait for the replicas.
    """
    parts = [_NULL, struct.pack(">hi", _ALL_IN_SYNC, timeout_ms), uvarint(len(batches) + 1)]
    for topic, places in batches.items():
        listed = list(places)
        parts += (compact_string(topic), uvarint(len(listed) + 1))
        for partition, batch in listed:
            parts += (partition.to_bytes(4, "big"), uvarint(len(batch) + 1), batch, NO_TAGS)
        parts.append(NO_TAGS)
    parts.append(NO_TAGS)
    return b"".join(parts)


def read_produced(reader: Reader) -> tuple[list[Produced], int]:
    """Read the answer: what became of each batch, and how long to send nothing more, in ms."""
    found = []
    for _ in reader.array():
        topic = reader.compact_string()
        for _ in reader.array():
            partition, error = reader.integer(4), reader.integer(2)
            base_offset, append_ms = reader.integer(8), reader.integer(8)
            reader.take(8)
            faults = tuple(_read_fault(reader) for _ in reader.array())
            reader.compact_string()
            reader.tags()
            found.append(Produced(topic, partition, error, base_offset, append_ms, faults))
        reader.tags()
    return found, reader.integer(4)


def _read_fault(reader: Reader) -> int:
    number = reader.integer(4)
    reader.compact_string()
    reader.tags()
    return number
