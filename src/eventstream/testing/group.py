"""A consumer group in memory: who owns which partition, and what is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.log.listener import NOWHERE
from eventstream.worker import beyond

if TYPE_CHECKING:
    from eventstream.log.listener import Partition, Positions
    from eventstream.testing.kafka import SimulatedKafka
    from eventstream.testing.member import Member


class Group:
    """Partitions move one after the other, as cooperative groups and KIP-848 have it.

    Args:
        kafka: Whose group it is.

    Attributes:
        owners: Who owns a partition.
        committed: The positions.
        unclean: When a partition left an owner last whose work was not all on record.
        moved: When a partition left an owner last.
    """

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka
        self._members: list[Member] = []
        self._targets: dict[Partition, Member] = {}
        self.owners: dict[Partition, Member] = {}
        self.committed: Positions = {}
        self.unclean: dict[Partition, float] = {}
        self.moved: dict[Partition, float] = {}

    def join(self, member: Member) -> None:
        """Take a member in."""
        self._members.append(member)
        self._share_out()

    def leave(self, member: Member) -> None:
        """Let a member go, which has given its partitions up."""
        if member in self._members:
            self._members.remove(member)
            self._share_out()

    def expire(self, member: Member) -> None:
        """Give up a member that was not heard of for too long: it is fenced."""
        if member not in self._members:
            return
        member.is_fenced = True
        self.release(member, self.owned(member), is_clean=False)
        self.leave(member)

    def owned(self, member: Member) -> list[Partition]:
        """What a member owns."""
        return [where for where, owner in self.owners.items() if owner is member]

    def unwanted(self, member: Member) -> list[Partition]:
        """What a member owns and is to give up."""
        return [where for where in self.owned(member) if self._targets.get(where) is not member]

    def take(self, member: Member) -> Positions:
        """Give a member what is meant for it and nobody owns, with the committed positions."""
        free = [
            where
            for where, target in self._targets.items()
            if target is member and where not in self.owners
        ]
        self.owners.update(dict.fromkeys(free, member))
        return {where: self.committed.get(where, NOWHERE) for where in free}

    def release(self, member: Member, partitions: list[Partition], *, is_clean: bool) -> None:
        """Take partitions from a member."""
        for where in partitions:
            if self.owners.get(where) is member:
                del self.owners[where]
                self.moved[where] = self._kafka.loop.time()
                if not is_clean:
                    self.unclean[where] = self._kafka.loop.time()
        self._kafka.changed.notify()

    def commit(self, member: Member, positions: Positions) -> set[Partition]:
        """Take the positions of partitions that are the member's."""
        taken = {where for where in positions if self.owners.get(where) is member}
        self.committed.update({where: positions[where] for where in taken})
        return taken

    def has_on_record(self, where: Partition, offset: int) -> bool:
        """Whether the committed position tells that an event is finished."""
        position = self.committed.get(where, NOWHERE)
        if offset < position.offset:
            return True
        return any(offset in each for each in beyond.decode(*position))

    def _share_out(self) -> None:
        places = [where for where in self._kafka.logs if where[0] in self._kafka.subscribed]
        self._kafka.chance.shuffle(places)
        self._targets = {
            where: self._members[number % len(self._members)]
            for number, where in enumerate(places)
            if self._members
        }
        self._kafka.changed.notify()
