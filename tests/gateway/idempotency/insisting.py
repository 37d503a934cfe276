"""Clients that repeat a keyed request until it is answered, whatever happens to the gateways."""

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field

import msgspec
from http_bytes import request, status

PATIENCE_S = 90
ANSWER_S = 30
PASSING = frozenset({409, 503, 504})
REPLAYED = b"idempotent-replayed: true\r\n"
_DATE = re.compile(rb"(?mi)^date: [^\r]*\r\n")
_LENGTH = re.compile(rb"(?i)content-length: (\d+)")
_RETRY_AFTER = re.compile(rb"(?i)retry-after: (\d+)")


@dataclass
class Insisting:
    """Sends each of some keys several times at once, at moments drawn within a time.

    Args:
        ports: Where the gateways listen; an attempt takes one by chance.
        target: The request target.
        body: Makes a key's body.
        seed: What moments and gateways are drawn by.
        content_type: The bodies' type.
        keys: How many keys.
        callers: How often each key is sent at the same time.
        within_s: How long it takes until all keys are under way.

    Attributes:
        answers: By key, every 200 that a caller got, without its date.
        seen: How often each status came, and how often no answer.
        first: Set with the first 200.
    """

    ports: list[int]
    target: str
    body: object
    seed: int
    content_type: str = "application/json"
    keys: int = 100
    callers: int = 10
    within_s: float = 1.0
    answers: dict[str, list[bytes]] = field(default_factory=dict)
    seen: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self.chance = random.Random(self.seed)
        self.first = asyncio.Event()

    async def run(self):
        """Return once every caller has its 200."""
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as callers:
            for number in range(self.keys):
                begins_s = self.chance.uniform(0, self.within_s)
                for _ in range(self.callers):
                    callers.create_task(self.call(f"{self.seed}-{number}", number, begins_s))

    async def call(self, key, number, begins_s):
        fields = {"Idempotency_Key": f'"{key}"'}
        data = request(self.target, self.body(number), self.content_type, **fields)
        await asyncio.sleep(begins_s)
        while True:
            pause_s = 0.05
            try:
                answer = await exchange(self.chance.choice(self.ports), data)
            except (OSError, asyncio.IncompleteReadError):
                self.seen["no answer"] += 1
            else:
                self.seen[status(answer)] += 1
                if status(answer) == 200:
                    self.answers.setdefault(key, []).append(_DATE.sub(b"", answer))
                    self.first.set()
                    return
                assert status(answer) in PASSING, answer
                if said := _RETRY_AFTER.search(answer):
                    pause_s = int(said[1])
            await asyncio.sleep(pause_s)

    def agreed(self):
        """Return each key's content, having checked that all its answers are the same."""
        agreed = {}
        for key, answers in self.answers.items():
            assert len(answers) == self.callers, key
            (answer,) = {answer.replace(REPLAYED, b"") for answer in answers}
            assert sum(REPLAYED not in answer for answer in answers) <= 1, answers
            agreed[key] = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
        assert len(agreed) == self.keys
        return agreed


async def exchange(port, data):
    """Send one request on a connection of its own, and read its answer."""
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(int(_LENGTH.search(head)[1]))
        finally:
            writer.close()
