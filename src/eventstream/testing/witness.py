"""Sees every attempt of a handler, and says what must not have happened."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventstream.deadletters.letters import DEADLETTER_SUFFIX, letter_of
from eventstream.deadletters.marks import PARKED_SUFFIX, mark_of
from eventstream.log.received import Received, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.events import Event
    from eventstream.log.listener import Partition
    from eventstream.testing.kafka import SimulatedKafka
    from eventstream.testing.member import Member
    from eventstream.worker.subscription import Subscription

    Place = tuple[str, int, int]
    Lane = tuple[str, int, bytes | None]

TRACE_LINES = 60


class Broken(AssertionError):
    """Something happened that must not."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One call of a handler with one event.

    Attributes:
        event: The event.
        member: Who called.
        began_s: When it began.
        ended_s: When it ended well; -1 before.
        may_repeat: Whether the event may come again though the handler did its work.
    """

    event: Event
    member: Member
    began_s: float
    ended_s: float = -1.0
    may_repeat: bool = False


class Witness:
    """Checks, while it happens, that nothing is lost, repeated without a reason, or out of order.

    Args:
        kafka: Where the events are.
        subscriptions: The handlers.

    Attributes:
        broken: What happened first that must not; nothing more is traced from then on.
        trace: What happened last, for people.
        failures: How often an event's handler failed.
        attempts: How many there were.
        repeats: How many events were handled again after they had been.
    """

    def __init__(self, kafka: SimulatedKafka, subscriptions: Iterable[Subscription]) -> None:
        self._kafka = kafka
        self._subscriptions = {each.topic: each for each in subscriptions}
        self._read: dict[Partition, int] = {}
        self._lanes: dict[Lane, list[int]] = {}
        self._settled: dict[Lane, int] = {}
        self._running: dict[Lane, list[Attempt]] = {}
        self._done: dict[Place, Attempt] = {}
        self._letters: dict[Place, Event] = {}
        self.broken: Broken | None = None
        self.trace: deque[str] = deque(maxlen=TRACE_LINES)
        self.failures: Counter[Place] = Counter()
        self.attempts = 0
        self.repeats = 0

    def note(self, what: str) -> None:
        """Write what happens, for people."""
        if self.broken is None:
            self.trace.append(f"{self._kafka.loop.time():10.4f} {what}")

    @property
    def letters(self) -> int:
        """How many events were given up, or parked."""
        return len(self._letters)

    def begin(self, event: Event, member: Member) -> Attempt:
        """See an attempt begin."""
        self._catch_up()
        attempt = Attempt(event, member, self._kafka.loop.time())
        is_ours = self._is_ours(attempt)
        self.attempts += 1
        self.note(f"{member.process.name} begins {_shown(event)}{'' if is_ours else ' (fenced)'}")
        lane = self._lane_of(event)
        if is_ours:
            try:
                self._check_repeat(event)
                if lane is not None:
                    self._check_lane(lane, event)
            except Broken as broken:
                self.broken = self.broken or broken
        if lane is not None:
            self._running.setdefault(lane, []).append(attempt)
        return attempt

    def end(self, attempt: Attempt, error: BaseException | None = None) -> None:
        """See an attempt end."""
        event = attempt.event
        lane = self._lane_of(event)
        if lane is not None:
            self._running[lane].remove(attempt)
        if error is not None:
            self.note(f"{attempt.member.process.name} fails {_shown(event)}: {error!r}")
            self.failures[_place(event)] += 1
            return
        self.note(f"{attempt.member.process.name} ends {_shown(event)}")
        attempt.ended_s = self._kafka.loop.time()
        attempt.may_repeat |= not self._is_ours(attempt)
        self.repeats += _place(event) in self._done
        self._done[_place(event)] = attempt

    def outstanding(self) -> list[Event]:
        """The events that have a letter and were not handled since."""
        self._catch_up()
        return [event for place, event in self._letters.items() if place not in self._done]

    def unfinished(self) -> list[Place]:
        """The events that are neither on record nor deleted by retention."""
        return [
            (*where, offset)
            for where, log in self._kafka.logs.items()
            if where[0] in self._subscriptions
            for offset in log.offsets
            if offset >= log.start and not self._kafka.group.has_on_record(where, offset)
        ]

    def check_end(self) -> None:
        """Look at everything once all is done.

        Raises:
            Broken: An event was lost, or given up without having failed.
        """
        self._catch_up()
        for where, log in self._kafka.logs.items():
            if where[0] not in self._subscriptions:
                continue
            for offset in log.offsets:
                if offset >= log.start and not self._is_settled((*where, offset)):
                    raise Broken(f"{_name((*where, offset))} is lost")

    def _check_repeat(self, event: Event) -> None:
        place = _place(event)
        before = self._done.get(place)
        where = event.topic, event.partition
        if type(event) is Received and self._kafka.group.has_on_record(where, event.offset):
            raise Broken(f"{_name(place)} came again though the group has it on record")
        if before is None or before.may_repeat:
            return
        unclean_s = self._kafka.group.unclean.get(where, -1.0)
        if before.member.process.is_alive and unclean_s < before.ended_s:
            raise Broken(f"{_name(place)} came again, and nobody had died")

    def _check_lane(self, lane: Lane, event: Event) -> None:
        for other in self._running.get(lane, ()):
            if other.member.process.is_alive and self._is_ours(other):
                raise Broken(f"{_shown(event)} runs beside {_shown(other.event)} of its lane")
        parks = self._subscriptions[event.topic].on_failure == "park"
        for offset in self._unsettled(lane, event.offset):
            raise Broken(f"{_shown(event)} overtook {_name((*_where(event), offset))}")
        if parks:
            for offset in self._lanes[lane]:
                if offset >= event.offset:
                    break
                place = (*_where(event), offset)
                if place in self._letters and place not in self._done:
                    raise Broken(f"{_shown(event)} overtook {_name(place)}, which is parked")

    def _unsettled(self, lane: Lane, before: int) -> Iterable[int]:
        """Events of a lane, before an offset, that are neither handled nor given up."""
        offsets = self._lanes[lane]
        index = self._settled.get(lane, 0)
        while index < len(offsets) and self._is_settled((lane[0], lane[1], offsets[index])):
            index += 1
        self._settled[lane] = index
        return [offset for offset in offsets[index : index + 1] if offset < before]

    def _is_settled(self, place: Place) -> bool:
        topic, partition, offset = place
        is_expired = offset < self._kafka.logs[topic, partition].start
        return place in self._done or place in self._letters or is_expired

    def _is_ours(self, attempt: Attempt) -> bool:
        """Whether the partition was the member's all the time."""
        group, where = self._kafka.group, _where(attempt.event)
        is_owner = group.owners.get(where) is attempt.member
        return is_owner and group.moved.get(where, -1.0) <= attempt.began_s

    def _lane_of(self, event: Event) -> Lane | None:
        order = self._subscriptions[event.topic].order
        if order == "partition":
            return (event.topic, event.partition, None)
        if order == "none" or event.key is None:
            return None
        return (event.topic, event.partition, event.key)

    def _catch_up(self) -> None:
        """Read what was written since."""
        for where, log in self._kafka.logs.items():
            if self._read.get(where, 0) == log.end:
                continue
            records = log.read(self._read.get(where, 0), log.end)
            self._read[where] = log.end
            for run in runs_of(records, where[0]):
                for event in run.events:
                    self._learn(where[0], event)

    def _learn(self, topic: str, event: Event) -> None:
        if topic in self._subscriptions:
            lane = self._lane_of(event)
            if lane is not None:
                self._lanes.setdefault(lane, []).append(event.offset)
        elif topic.endswith((DEADLETTER_SUFFIX, PARKED_SUFFIX)) and mark_of(event) is None:
            original = letter_of(event).event
            self._letters.setdefault(_place(original), original)
            self.note(f"{_shown(original)} is in {topic}")


def _where(event: Event) -> Partition:
    return event.topic, event.partition


def _place(event: Event) -> Place:
    return event.topic, event.partition, event.offset


def _name(place: Place) -> str:
    return "/".join(map(str, place))


def _shown(event: Event) -> str:
    key = "" if event.key is None else f" of key {event.key.decode(errors='backslashreplace')}"
    return _name(_place(event)) + key
