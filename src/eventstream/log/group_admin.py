"""Consumer groups, as an operator sees and moves them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaException,
    TopicPartition,
)

from eventstream.errors import GroupInUse, GroupNotFound
from eventstream.log.admin_client import connect_admin
from eventstream.log.faults import translate
from eventstream.log.places import Extent, extents, offsets_at, partitions_of
from eventstream.log.reader import connect_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.log.start import Start
    from eventstream.settings import KafkaSettings

TIMEOUT_S = 10.0
AGE_TIMEOUT_S = 5.0
"""How long to wait for the oldest unhandled event of each partition."""
_UNUSED = {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}


class PartitionLag(msgspec.Struct, frozen=True):
    """How far a group is in one partition.

    Attributes:
        topic: The topic.
        partition: The partition.
        committed: The position the group committed.
        end: One more than the partition's newest offset.
        lag: Events from the committed position, or from the oldest one left, to the end.
        lag_s: How old the next event is, in seconds; 0 when there is none, `None` when unknown.
        owner: The member that has it; empty when nobody does.
    """

    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    lag_s: float | None
    owner: str


class GroupDescription(msgspec.Struct, frozen=True):
    """A group: its state, as Kafka names it, its members and its partitions."""

    group: str
    state: str
    members: list[str]
    partitions: list[PartitionLag]


class Move(msgspec.Struct, frozen=True):
    """A position that changes; `committed` is -1 where there was none."""

    topic: str
    partition: int
    committed: int
    target: int


class GroupAdmin:
    """Asks about groups and moves their positions; every call blocks until Kafka answered.

    Args:
        kafka: How to reach Kafka.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = connect_admin(kafka)
        self._consumer = connect_reader(kafka)

    def groups(self) -> dict[str, str]:
        """Names of groups and the state each is in.

        Raises:
            EventstreamError: Kafka did not answer, or refused.
        """
        try:
            found = self._client.list_consumer_groups(request_timeout=TIMEOUT_S).result()
        except KafkaException as error:
            raise translate(error.args[0]) from None
        if found.errors and not found.valid:
            raise translate(self._client.denial() or found.errors[0].args[0])
        return {one.group_id: _named(one.state) for one in sorted(found.valid, key=_group_id)}

    def describe(self, group: str) -> GroupDescription:
        """Describe a group and how far it is.

        Raises:
            GroupNotFound: There is no such group.
            EventstreamError: Kafka did not answer, or refused.
        """
        try:
            found = self._found(group)
            owners = {
                (place.topic, place.partition): member.client_id
                for member in found.members
                for place in (member.assignment.topic_partitions if member.assignment else ())
            }
            committed = self._committed(group)
            partitions = self._lags(committed, owners)
        except KafkaException as error:
            raise translate(error.args[0]) from None
        if found.state in _UNUSED and not committed:
            raise GroupNotFound(f"There is no group {group!r}; check the name.")
        members = sorted(member.client_id for member in found.members)
        return GroupDescription(group, _named(found.state), members, partitions)

    def moves(
        self, group: str, topic: str, target: Start | int, partition: int | None = None
    ) -> list[Move]:
        """Work out where a group would stand in a topic; nothing is changed.

        Args:
            group: The group.
            topic: The topic.
            target: Where to; an offset is brought into what each partition has.
            partition: The only partition to move; all when left out.

        Raises:
            EventstreamError: The topic or partition does not exist, or Kafka did not answer.
        """
        try:
            reach = extents(self._consumer, topic, partitions_of(self._consumer, topic, partition))
            if isinstance(target, int):
                targets = {
                    each: max(one.oldest, min(target, one.end)) for each, one in reach.items()
                }
            else:
                targets = offsets_at(self._consumer, topic, target, reach)
            committed = self._committed(group)
        except KafkaException as error:
            raise translate(error.args[0], topic) from None
        return [
            Move(topic, each, committed.get((topic, each), -1), offset)
            for each, offset in sorted(targets.items())
        ]

    def reset(self, group: str, moves: list[Move]) -> None:
        """Commit new positions for a group that nobody is in.

        Raises:
            GroupInUse: The group has members; nothing was changed.
            EventstreamError: Kafka did not answer, or refused.
        """
        places = [TopicPartition(each.topic, each.partition, each.target) for each in moves]
        try:
            if self._found(group).state not in _UNUSED:
                raise GroupInUse(
                    f"Group {group!r} has members, which would commit over a new position; stop"
                    " them first."
                )
            asked = self._client.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, places)], request_timeout=TIMEOUT_S
            )
            answers = asked[group].result().topic_partitions
        except KafkaException as error:
            raise translate(error.args[0]) from None
        for answer in answers:
            if answer.error is not None:
                raise translate(answer.error, answer.topic)

    def _found(self, group: str) -> Any:
        return self._client.describe_consumer_groups([group], request_timeout=TIMEOUT_S)[
            group
        ].result()

    def _committed(self, group: str) -> dict[tuple[str, int], int]:
        asked = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S
        )
        found = asked[group].result().topic_partitions
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def _lags(
        self, committed: Mapping[tuple[str, int], int], owners: Mapping[tuple[str, int], str]
    ) -> list[PartitionLag]:
        reach: dict[tuple[str, int], Extent] = {}
        for topic, partition in committed:
            reach[topic, partition] = extents(self._consumer, topic, [partition])[partition]
        behind = {
            where: max(offset, reach[where].oldest)
            for where, offset in committed.items()
            if offset < reach[where].end
        }
        ages = self._ages(behind)
        return [
            PartitionLag(
                *where,
                committed[where],
                reach[where].end,
                reach[where].end - behind.get(where, reach[where].end),
                ages.get(where) if where in behind else 0.0,
                owners.get(where, ""),
            )
            for where in sorted(committed)
        ]

    def _ages(self, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], float]:
        """Read the event at each position and tell how old it is, in seconds."""
        ages: dict[tuple[str, int], float] = {}
        if not positions:
            return ages
        self._consumer.assign([TopicPartition(*where, at) for where, at in positions.items()])
        deadline = time.monotonic() + AGE_TIMEOUT_S
        while len(ages) < len(positions) and time.monotonic() < deadline:
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            where = (str(message.topic()), int(message.partition() or 0))
            if where not in ages:
                ages[where] = round(max(0.0, time.time() - message.timestamp()[1] / 1000), 3)
                self._consumer.pause([TopicPartition(*where)])
        self._consumer.unassign()
        return ages


def _group_id(one: Any) -> str:
    return str(one.group_id)


def _named(state: ConsumerGroupState) -> str:
    return state.name.lower().replace("_", " ")
