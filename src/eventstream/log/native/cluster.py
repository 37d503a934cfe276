"""Who leads which partition, asked for when it is needed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from eventstream.log.native import messages
from eventstream.log.native.broker import Broker
from eventstream.log.native.messages import METADATA, Node
from eventstream.settings import broker_addresses

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from eventstream.log.native.messages import TopicLeaders
    from eventstream.log.native.primitives import Reader

ANSWER_TIMEOUT_S = 5.0
PAUSE_S = 0.1
OLD_S = 300.0


class Cluster:
    """The brokers, and what they say of topics.

    Args:
        bootstrap_servers: Whom to ask first: host:port, separated by commas.
        client_id: What they are to know this client by.
        loop: The loop.
        on_broker: Called when a broker can be asked, and when it cannot any more.
        on_topics: Called with what metadata says of topics.

    Attributes:
        brokers: By address.
        topics: Whose leaders are asked for.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        client_id: str,
        loop: asyncio.AbstractEventLoop,
        on_broker: Callable[[Broker], None],
        on_topics: Callable[[dict[str, TopicLeaders]], None],
    ) -> None:
        self._client_id = client_id
        self._loop = loop
        self._on_broker = on_broker
        self._on_topics = on_topics
        self._bootstrap = [Node(*each) for each in broker_addresses(bootstrap_servers)]
        self._nodes: dict[int, Node] = {}
        self._asking = False
        self._due_s: float | None = None
        self._asked_s = -OLD_S
        self.topics: set[str] = set()
        self.brokers: dict[Node, Broker] = {}

    @property
    def is_reachable(self) -> bool:
        """Whether any broker can be asked now."""
        return any(broker.is_up for broker in self.brokers.values())

    def leader(self, node: int) -> Broker | None:
        """Find a broker by its id, and begin to connect to it; `None` while it is not known."""
        place = self._nodes.get(node)
        return None if place is None else self._broker(place)

    def any(self) -> Broker | None:
        """Find a broker that can be asked; where there is none, begin to connect to all."""
        up = [broker for broker in self.brokers.values() if broker.is_up]
        if up:
            return random.choice(up)  # noqa: S311 - which one does not matter
        for place in (*self._bootstrap, *self._nodes.values()):
            self._broker(place).connect()
        return None

    def refresh(self) -> None:
        """Ask for metadata soon: what is known is missing something, or wrong."""
        if self._due_s is None:
            self._due_s = max(self._loop.time(), self._asked_s + PAUSE_S)
        self.tick(self._loop.time())

    def tick(self, now_s: float) -> None:
        """Ask if it is time, and give up who does not answer; called ten times a second."""
        for broker in self.brokers.values():
            broker.check_time(now_s)
        due = self._due_s is not None and now_s >= self._due_s
        if (due or now_s - self._asked_s > OLD_S) and not self._asking and self.topics:
            asked = self.any()
            if asked is not None:
                self._ask(asked, now_s)

    def close(self) -> None:
        """End all connections."""
        for broker in self.brokers.values():
            broker.close()

    def _broker(self, place: Node) -> Broker:
        broker = self.brokers.get(place)
        if broker is None:
            broker = Broker(place, self._client_id, self._loop, self._on_broker)
            self.brokers[place] = broker
        if not broker.is_up:
            broker.connect()
        return broker

    def _ask(self, broker: Broker, now_s: float) -> None:
        self._asking, self._due_s, self._asked_s = True, None, now_s
        request = messages.metadata_request(sorted(self.topics))
        broker.ask(METADATA, request, now_s + ANSWER_TIMEOUT_S, self._answered)

    def _answered(self, answer: Reader | None) -> None:
        self._asking = False
        if answer is None:
            self._due_s = self._loop.time()
            return
        found = messages.read_metadata(answer)
        self._nodes.update(found.nodes)
        self._on_topics(found.topics)
