"""Which letters of a partition are outstanding, and which keys are parked because of them.

A letter's identity is the offset its event had. Letters and marks may be told more than once, and
letters of the two topics in any order between them; marks come in their own order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.deadletters.marks import Mark


class Slip(NamedTuple):
    """Where a letter is kept.

    Attributes:
        topic: The dead-letter topic, or the one of parked events.
        offset: Its offset there.
    """

    topic: str
    offset: int


class Lot:
    """The letters of one group and one partition.

    A letter told twice counts where it was told last.

    Args:
        parks: Whether a key with outstanding letters is parked.

    Attributes:
        parked: The keys whose events are to be parked.
        newest: The highest offset that has a letter, or had one; -1 without any.
    """

    def __init__(self, *, parks: bool) -> None:
        self._parks = parks
        self._outstanding: dict[bytes | None, dict[int, Slip]] = {}
        self._key_of: dict[int, bytes | None] = {}
        self._settled: set[int] = set()
        self._wanted: set[int] = set()
        self.parked: set[bytes] = set()
        self.newest = -1

    def __contains__(self, offset: int) -> bool:
        """Whether the event of this offset has a letter, or had one."""
        return offset in self._key_of or offset in self._settled

    def __len__(self) -> int:
        """How many letters are outstanding."""
        return len(self._key_of)

    def letter(self, offset: int, key: bytes | None, slip: Slip) -> None:
        """Take the letter of the event at an offset."""
        self.newest = max(self.newest, offset)
        if offset in self._settled:
            return
        slips = self._outstanding.setdefault(key, {})
        slips[offset] = slip
        self._key_of[offset] = key
        if self._parks and key is not None:
            self.parked.add(key)

    def mark(self, mark: Mark) -> None:
        """Take a mark of this group."""
        if mark.kind == "replay":
            self._wanted.update(mark.offsets)
        elif mark.kind == "failed":
            self._wanted.difference_update(mark.offsets)
        else:
            self._settle(mark.offsets)

    def _settle(self, offsets: Iterable[int]) -> None:
        for offset in offsets:
            self._settled.add(offset)
            self._wanted.discard(offset)
            if offset not in self._key_of:
                continue
            key = self._key_of.pop(offset)
            slips = self._outstanding[key]
            del slips[offset]
            if not slips:
                del self._outstanding[key]
                if key is not None:
                    self.parked.discard(key)

    @property
    def due(self) -> set[bytes | None]:
        """The keys of letters that are to be handled again."""
        return {self._key_of[offset] for offset in self._wanted if offset in self._key_of}

    def slip(self, offset: int) -> Slip | None:
        """Where an event's letter is kept; `None` when it is not outstanding."""
        if offset not in self._key_of:
            return None
        return self._outstanding[self._key_of[offset]][offset]

    def wanted(self, key: bytes | None) -> list[int]:
        """The key's letters that are to be handled again, in the events' order."""
        slips = self._outstanding.get(key, {})
        return sorted(offset for offset in slips if offset in self._wanted)

    def unwanted(self, key: bytes | None) -> list[int]:
        """The key's other outstanding letters, in the events' order."""
        slips = self._outstanding.get(key, {})
        return sorted(offset for offset in slips if offset not in self._wanted)
