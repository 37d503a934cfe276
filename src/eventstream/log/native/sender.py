"""Batches out, and what becomes of them."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaError

from eventstream.log.native import messages, verdicts
from eventstream.log.native.messages import INIT_PRODUCER_ID, PRODUCE
from eventstream.log.native.partition import RETRY_PAUSE_S, Verdict
from eventstream.log.producing import NO_OFFSET

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from eventstream.log.native.batch import Batch
    from eventstream.log.native.broker import Broker
    from eventstream.log.native.cluster import Cluster
    from eventstream.log.native.messages import Produced
    from eventstream.log.native.partition import Partition
    from eventstream.log.native.primitives import Reader
    from eventstream.log.native.records import Identity

    Batches = dict[tuple[str, int], tuple[Partition, Batch]]

log = structlog.get_logger(__name__)

REFUSED_PAUSE_S = 5.0
MOST_REQUESTS = 5
"""Produce requests under way to one broker: it remembers five batches of a partition (KIP-98)."""
REQUEST_BYTES = 1_000_000
REQUEST_TIMEOUT_S = 30.0
_COMING_UP = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
    }
)


class Sender:
    """Sends what brokers lead and hears what became of it.

    Args:
        cluster: Who leads what.
        loop: The loop.
        timeout_s: How long an event may wait for its acknowledgement.
        count_out: Called with how many events, and bytes, have their answer or are about to.
    """

    def __init__(
        self,
        cluster: Cluster,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        count_out: Callable[[int, int], None],
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._timeout_s = timeout_s
        self._count_out = count_out
        self._identity: Identity | None = None
        self._asking_identity = False
        self._ask_identity_at_s = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether any event was sent that is not answered."""
        return any(broker.requests for broker in self._cluster.brokers.values())

    def send(self) -> None:
        """Send what waits, as far as brokers take more now."""
        now_s = self._loop.time()
        for broker in self._cluster.brokers.values():
            if broker.ready:
                self._send_to(broker, now_s)

    def make_ready(self, place: Partition) -> None:
        """Have what waits sent to the partition's leader, or ask who that is."""
        if not place.has_more:
            return
        leader = self._cluster.leader(place.leader)
        if leader is None:
            self._cluster.refresh()
        else:
            leader.ready[place] = None

    def expire(self, place: Partition, before_s: float, error: KafkaError) -> None:
        """Give up what began before a time; of what may be written it is not said that it is not.

        Args:
            place: Where.
            before_s: The time, by the loop's clock.
            error: What is told of the others.
        """
        for batch, may_be_written in place.expire(before_s):
            self._fail(place, batch, verdicts.UNKNOWN if may_be_written else error)

    def prepare(self) -> None:
        """Ask for an identity before the first event needs it."""
        if self._identity is None:
            self._ask_identity()

    def _send_to(self, broker: Broker, now_s: float) -> None:
        """Send what a broker leads, as far as it takes more now."""
        if not broker.is_up:
            broker.connect()
            return
        while now_s >= broker.silent_until_s:
            broker.is_behind = broker.requests >= MOST_REQUESTS
            if broker.is_behind:
                return
            batches = self._take_batches(broker, now_s)
            if not batches:
                return
            listed: dict[str, list[tuple[int, bytes]]] = {}
            for place, batch in batches.values():
                listed.setdefault(place.topic, []).append((place.number, batch.encoded()))
            oldest_s = min(batch.began_s for _, batch in batches.values())
            timeout_s = min(REQUEST_TIMEOUT_S, self._timeout_s)
            deadline_s = min(now_s + timeout_s, max(oldest_s + self._timeout_s, now_s + 1))
            request = messages.produce_request(listed, int(timeout_s * 1000))
            broker.requests += 1
            broker.ask(PRODUCE, request, deadline_s, partial(self._produced, broker, batches))

    def _take_batches(self, broker: Broker, now_s: float) -> Batches:
        batches: Batches = {}
        size = 0
        for place in list(broker.ready):
            if size >= REQUEST_BYTES:
                break
            if not place.may_send(broker.node, now_s):
                if not place.has_more:
                    del broker.ready[place]
                continue
            identity = place.identity or self._identity
            if identity is None or identity == place.disowned:
                self._ask_identity()
                continue
            batch = place.take(broker.node, identity)
            size += batch.size
            batches[place.topic, place.number] = place, batch
            del broker.ready[place]
            if place.has_more:
                broker.ready[place] = None
        return batches

    def _ask_identity(self) -> None:
        now_s = self._loop.time()
        if self._asking_identity or now_s < self._ask_identity_at_s:
            return
        broker = self._cluster.any()
        if broker is not None:
            self._asking_identity = True
            self._ask_identity_at_s = now_s + RETRY_PAUSE_S
            deadline_s = now_s + REQUEST_TIMEOUT_S
            broker.ask(INIT_PRODUCER_ID, messages.identity_request(), deadline_s, self._identified)

    def _identified(self, answer: Reader | None) -> None:
        self._asking_identity = False
        if answer is None:
            return
        code, identity = messages.read_identity(answer)
        if not code:
            self._identity = identity
            self.send()
            return
        if code not in _COMING_UP:
            self._ask_identity_at_s = self._loop.time() + REFUSED_PAUSE_S
            log.warning("kafka gives no producer id", reason=KafkaError(code).str())

    # Answers

    def _produced(
        self,
        broker: Broker,
        batches: Batches,
        answer: Reader | None,
    ) -> None:
        broker.requests = max(0, broker.requests - 1)
        now_s = self._loop.time()
        if answer is None:
            for place, batch in batches.values():
                self._settle(place, batch, Verdict.UNKNOWN, now_s)
            return
        found, silence_ms = messages.read_produced(answer)
        if silence_ms:
            broker.silent_until_s = now_s + silence_ms / 1000
            self._loop.call_later(silence_ms / 1000, self.send)
        for said in found:
            place, batch = batches[said.topic, said.partition]
            if said.error:
                self._refused(place, batch, said, now_s)
                continue
            self._settle(place, batch, Verdict.WRITTEN, now_s)
            self._count_out(batch.count, batch.size)
            try:
                batch.acknowledge(said.partition, said.base_offset, said.append_ms)
            except Exception:
                log.exception("a delivery report's callback failed")
        if broker.is_behind:
            self._send_to(broker, now_s)

    def _refused(self, place: Partition, batch: Batch, said: Produced, now_s: float) -> None:
        error = KafkaError(said.error)
        verdict = verdicts.of(said.error)
        if verdict is Verdict.WRITTEN:
            self._settle(place, batch, verdict, now_s)
            self._fail(place, batch, NO_OFFSET)
        elif verdict is Verdict.REFUSED:
            instead = verdicts.parts_of(said, batch)
            self._settle(place, batch, verdict, now_s, instead.again)
            self._count_out(0, batch.size - sum(each.size for each in instead.all))
            if instead.failed is not None:
                self._fail(place, instead.failed, error)
        else:
            if verdict is not Verdict.OUT_OF_ORDER:
                self._cluster.refresh()
            self._settle(place, batch, verdict, now_s)

    def _settle(
        self,
        place: Partition,
        batch: Batch,
        verdict: Verdict,
        now_s: float,
        instead: Sequence[Batch] = (),
    ) -> None:
        for given_up in place.settle(batch, verdict, now_s, instead):
            self._fail(place, given_up, verdicts.UNKNOWN)
        if place.is_gone:
            self.expire(place, math.inf, KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        else:
            self.make_ready(place)

    def _fail(self, place: Partition, batch: Batch, error: KafkaError) -> None:
        self._count_out(batch.count, batch.size)
        try:
            batch.fail(place.number, error)
        except Exception:
            log.exception("a delivery report's callback failed")
