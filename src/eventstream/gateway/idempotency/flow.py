"""A keyed request's way: reserve the key, publish, keep the answer; or find out what became of it.

What a crash leaves behind at each step, and what a retry does with it:

* before the reservation: nothing; the retry is a first request.
* after it, or after sending: a reservation without an answer. Its lease outlives everything its
  owner may still do to the log; until it is over a retry is told 409. Then the retry takes the key
  over, reads the topic from where it ended before the reservation, and publishes what is not there.
* after the answer was kept: the retry gets that answer.

Nothing else is ever published for a key, so each record is written once. What remains is a process
that stands still between its last look at the clock and the hand-over to its producer, for longer
than the lease, and then goes on; and a broker that stands still as long with the request in hand.
"""

from __future__ import annotations

import contextlib
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from eventstream.errors import EventstreamError
from eventstream.gateway.formats.contract import Record
from eventstream.gateway.idempotency.contract import (
    Answered,
    Ask,
    Different,
    Stale,
    StoreUnavailable,
    Underway,
    pack,
    unpack,
)
from eventstream.gateway.idempotency.counters import KeyedCounters
from eventstream.gateway.idempotency.marks import Mark, marked
from eventstream.gateway.idempotency.settlement import Settlement, retry_after_s, settle
from eventstream.gateway.problems import Problem, Rejected, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from eventstream.gateway.answers import Answer
    from eventstream.gateway.formats.contract import Outcome, Placed
    from eventstream.gateway.idempotency.contract import Store, Verdict
    from eventstream.gateway.idempotency.settlement import Lease
    from eventstream.observe.metrics import Sample

    Send = Callable[[Sequence[Record]], Awaitable[Sequence[Outcome]]]
    MakeAnswer = Callable[[Sequence[Outcome]], Answer]

log = structlog.get_logger(__name__)

REPLAYED = (b"idempotent-replayed", b"true")
TOKEN_BYTES = 16


class Log(Protocol):
    """What the flow asks of a topic; see `topic_log.TopicLog`."""

    async def start(self, topic: str) -> bytes:
        """Return where a record that is sent from now on may stand at the earliest."""

    async def find(self, topic: str, start: bytes, mark: bytes) -> dict[int, Placed]:
        """Find a reservation's records, by their numbers in the request."""


class Keyed(NamedTuple):
    """A request that carries an idempotency key, with its events decoded.

    Attributes:
        id: What the key is stored under; see `keys.scoped_id`.
        key: The key as the client gave it; its records carry it.
        fingerprint: What the request is; see `keys.fingerprint`.
        topic: Where its events go.
        records: What its format decoded: records, and problems in their places.
    """

    id: bytes
    key: bytes
    fingerprint: bytes
    topic: str
    records: Sequence[Record | Problem]


class Idempotency:
    """Publishes keyed requests, each once.

    Args:
        store: Keeps keys and answers.
        topics: Looks at topics.
        lease: How long a reservation is its owner's.
        clock: Seconds that never go back.
    """

    def __init__(self, store: Store, topics: Log, lease: Lease, clock: Callable[[], float]) -> None:
        self._store = store
        self._topics = topics
        self._lease = lease
        self._clock = clock
        self._counters = KeyedCounters()

    def samples(self) -> Iterator[Sample]:
        """Take the samples for a scrape."""
        return self._counters.samples(self._store.forgotten)

    async def publish(self, request: Keyed, send: Send, answer: MakeAnswer) -> Answer:
        """Publish a request's records, or give the answer they got before.

        Args:
            request: The request.
            send: Hands records to the producer, all before it first waits, and returns what became
                of each in their order. It may raise `Rejected` while none is handed over.
            answer: Makes the answer from the outcomes of all records and problems, in order.

        Returns:
            The answer; a repeated one has the field `Idempotent-Replayed: true` besides.

        Raises:
            Rejected: 409, the first request is under way; 422, the key belongs to another request;
                503, the store or Kafka is not available now; or what `send` raised.
        """
        try:
            made = await self._publish(request, send, answer)
        except StoreUnavailable as error:
            raise Rejected(
                Problem(503, "idempotency-unavailable", str(error), retry_after_s=1)
            ) from None
        except EventstreamError as error:
            raise Rejected(problem_of(error)) from None
        return made.with_fields(*self._store.fields)

    async def _publish(self, request: Keyed, send: Send, answer: MakeAnswer) -> Answer:
        start = await self._topics.start(request.topic)
        token = secrets.token_bytes(TOKEN_BYTES)
        attempt = _Attempt(request, send, answer, token, token, self._clock())
        ask = Ask(request.id, request.fingerprint, token, start, self._lease.total_s)
        verdict = await self._reserve(ask)
        match verdict:
            case Answered(stored):
                return _replayed(unpack(stored))
            case Underway(age_s, lease_left_s):
                raise Rejected(_underway(age_s, lease_left_s))
            case Different():
                raise Rejected(_DIFFERENT)
            case Stale(mark, begin):
                return await self._resolve(attempt._replace(mark=mark), begin)
            case _:
                return await self._write(attempt, {})

    async def _reserve(self, ask: Ask) -> Verdict:
        try:
            verdict = await self._store.reserve(ask)
        except StoreUnavailable:
            self._counters.found(None)
            raise
        self._counters.found(verdict)
        return verdict

    async def _resolve(self, attempt: _Attempt, start: bytes) -> Answer:
        """Find what an earlier attempt has written, and write the rest."""
        request = attempt.request
        try:
            found = await self._topics.find(request.topic, start, attempt.mark)
        except EventstreamError:
            with contextlib.suppress(StoreUnavailable):
                await self._store.give_back(request.id, attempt.token)
            raise
        if not attempt.missing(found):
            outcomes = attempt.merged(found, ())
            made = attempt.answer(outcomes)
            await self._end(attempt, outcomes, made)
            return _replayed(made)
        began = self._clock()
        if not await self._store.renew(request.id, attempt.token, self._lease.total_s):
            raise Rejected(_underway(0.0, 0.0))
        return await self._write(attempt._replace(began=began), found)

    async def _write(self, attempt: _Attempt, found: Mapping[int, Placed]) -> Answer:
        """Publish what is not there yet, and keep the answer if it is one for good."""
        if self._clock() - attempt.began > self._lease.send_within_s:
            await self._give_up(attempt, found)
            raise Rejected(_TOO_LATE)
        try:
            sent = await attempt.send(attempt.missing(found))
        except Rejected:
            await self._give_up(attempt, found)
            raise
        outcomes = attempt.merged(found, sent)
        made = attempt.answer(outcomes)
        await self._end(attempt, outcomes, made)
        return made

    async def _give_up(self, attempt: _Attempt, found: Mapping[int, Placed]) -> None:
        """Leave the key to the next retry, as this one has sent nothing."""
        leave = self._store.give_back if found else self._store.release
        with contextlib.suppress(StoreUnavailable):
            await leave(attempt.request.id, attempt.token)

    async def _end(self, attempt: _Attempt, outcomes: Sequence[Outcome], made: Answer) -> None:
        """Tell the store; the client's answer stands whether that succeeds or not.

        What the store does not hear now is found in the topic once the lease is over.
        """
        store, key_id, token = self._store, attempt.request.id, attempt.token
        try:
            match settle(outcomes):
                case Settlement.COMPLETE:
                    if not await store.complete(key_id, token, pack(made)):
                        self._counters.unkept += 1
                        log.warning("an idempotency key was taken over while its owner published")
                case Settlement.RELEASE:
                    await store.release(key_id, token)
                case Settlement.GIVE_BACK:
                    await store.give_back(key_id, token)
                case Settlement.KEEP:
                    pass
        except StoreUnavailable:
            self._counters.unkept += 1
            log.warning("the answer of an idempotency key could not be kept")


class _Attempt(NamedTuple):
    """One request that asks for its key, or has it.

    Attributes:
        request: The request.
        send: Hands records to the producer.
        answer: Makes the answer.
        token: Names the attempt in the store.
        mark: What the key's records carry.
        began: When its lease began, or a moment before.
    """

    request: Keyed
    send: Send
    answer: MakeAnswer
    token: bytes
    mark: bytes
    began: float

    def missing(self, found: Mapping[int, Placed]) -> list[Record]:
        """Return the records that are not there, in order, each with its mark."""
        return [
            marked(record, self.request.key, Mark(self.mark, number))
            for number, record in enumerate(self.request.records)
            if isinstance(record, Record) and number not in found
        ]

    def merged(self, found: Mapping[int, Placed], sent: Sequence[Outcome]) -> list[Outcome]:
        """Put every outcome in its record's place."""
        rest = iter(sent)
        return [
            record if isinstance(record, Problem) else found.get(number) or next(rest)
            for number, record in enumerate(self.request.records)
        ]


def _replayed(answer: Answer) -> Answer:
    return answer.with_fields(REPLAYED)


def _underway(age_s: float, lease_left_s: float) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "idempotency-key-in-progress",
        "The first request with this Idempotency-Key is not answered yet; try again.",
        retry_after_s=retry_after_s(age_s, lease_left_s),
    )


_DIFFERENT = Problem(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency-key-reused",
    "This Idempotency-Key belongs to a request that was not the same; send a new key with a new"
    " request.",
)
_TOO_LATE = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "idempotency-unavailable",
    "The store of idempotency keys answered too late to publish safely; nothing was published, try"
    " again.",
    retry_after_s=1,
)
