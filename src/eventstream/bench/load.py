"""HTTP loads: publishes over kept connections, from a process of their own.

`python -m eventstream.bench.load` reads a `Load` as JSON from standard input and writes what became
of it to the file it names; `run_load` does that from another process.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from array import array
from collections import Counter, deque
from pathlib import Path
from time import monotonic_ns, process_time
from typing import cast

import msgspec
import uvloop

from eventstream.bench.requests import FORMS, Requests
from eventstream.bench.workload import value_of, zipf_keys

ANSWERS_TIMEOUT_S = 30.0
_TICK_S = 0.001
_OK = b"HTTP/1.1 200 "
_LENGTH = b"ength: "
"""The end of Content-Length, however a server spells its beginning."""
_PROBLEM = re.compile(rb"urn:eventstream:problem:([a-z-]+)")
_RETRY_AFTER = re.compile(rb"(?i)\r\nretry-after: (\d+)")
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send.

    Attributes:
        port: The gateway's.
        topic: Where to.
        connections: How many are kept open.
        seconds: How long is measured.
        warm_up_s: How long the same load runs before that.
        rate: Publishes a second, open loop; 0 is closed loop: as fast as answers come.
        size: Bytes of each value.
        keyed: Whether events have keys, by Zipf's law.
        form: The requests' format, one of `requests.FORMS`.
        lines: Events in each request; more than one in NDJSON only.
        cluster: The Kafka cluster's id, which some formats name.
        api_key: What the caller shows; none when empty.
        target: The file for the outcome.
    """

    port: int
    topic: str
    connections: int
    seconds: float
    warm_up_s: float = 3.0
    rate: int = 0
    size: int = 100
    keyed: bool = True
    form: str = "json"
    lines: int = 1
    cluster: str = ""
    api_key: str = ""
    target: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a load's measured part.

    Attributes:
        first: The number of the first event that was measured.
        latencies_ns: From the intended time to the answer, of acknowledged events.
        acknowledged: Their numbers; those of whole requests when each has many lines.
        refused: Answers other than 200, the warm-up's too.
        refusals: Those of the measured part, by what they say.
        measured: Requests of the measured part.
        unanswered: Requests without an answer.
        began_ns: When the measured part began, on the monotonic clock.
        ended_ns: When it ended.
        busy_s: CPU time this load itself took for it.
    """

    first: int
    latencies_ns: list[int]
    acknowledged: list[int]
    refused: int
    refusals: dict[str, int]
    measured: int
    unanswered: int
    began_ns: int
    ended_ns: int
    busy_s: float

    @property
    def seconds(self) -> float:
        """How long the measured part took."""
        return (self.ended_ns - self.began_ns) / 1e9


def run_load(load: Load) -> Outcome:
    """Run a load in a process of its own and return what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        load = msgspec.structs.replace(load, target=str(Path(folder) / "outcome"))
        subprocess.run(
            [sys.executable, "-m", "eventstream.bench.load"],
            input=msgspec.json.encode(load),
            check=True,
        )
        return msgspec.msgpack.decode(Path(load.target).read_bytes(), type=Outcome)


class Sender:
    """Gives events to connections, each as soon as it is due and a connection is free."""

    def __init__(self, load: Load) -> None:
        self.load = load
        total = int((load.seconds + load.warm_up_s) * load.rate) if load.rate else 1 << 20
        self.keys = zipf_keys(total) if load.keyed else []
        self.requests = Requests(
            FORMS[load.form], load.topic, cluster=load.cluster, api_key=load.api_key
        )
        self.lines = b"".join(value_of(n, 0, load.size) + b"\n" for n in range(load.lines))
        self.total = total
        self.sent = 0
        self.idle: deque[Connection] = deque()
        self.latencies_ns = array("q")
        self.acknowledged = array("q")
        self.refused = 0
        self.refusals: Counter[str] = Counter()
        self.answered = 0
        self.start_ns = 0
        self.first = sys.maxsize
        """The first number that is measured: none as long as the load warms up."""
        self.stopped = False

    def message(self, number: int, intended_ns: int) -> bytes:
        """Write one request."""
        load = self.load
        key = b"key-%d" % self.keys[number % self.total] if load.keyed else None
        value = self.lines if load.lines > 1 else value_of(number, intended_ns, load.size)
        return self.requests.write(number, key, value)

    def send_due(self) -> None:
        """Send what is due and has a free connection (open loop)."""
        due = min(self.total, (monotonic_ns() - self.start_ns) * self.load.rate // 1_000_000_000)
        while self.sent < due and self.idle:
            self.idle.popleft().send(self.sent, self.intended_ns(self.sent))
            self.sent += 1

    def intended_ns(self, number: int) -> int:
        """When an event is meant to be sent (open loop)."""
        return self.start_ns + number * 1_000_000_000 // self.load.rate

    def is_free(self, connection: Connection) -> None:
        """Use a connection whose answer came."""
        if self.load.rate:
            self.idle.append(connection)
            self.send_due()
        elif not self.stopped:
            connection.send(self.sent, monotonic_ns())
            self.sent += 1


class Connection(asyncio.Protocol):
    """One kept connection with one request at a time."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, number: int, intended_ns: int) -> None:
        """Send one event."""
        self._number, self._intended_ns = number, intended_ns
        self._transport.write(self._sender.message(number, intended_ns))

    def data_received(self, data: bytes) -> None:
        """Take an answer, in any portions."""
        data = self._rest + data if self._rest else data
        if not is_whole(data):
            self._rest = data
            return
        self._rest = b""
        sender = self._sender
        sender.answered += 1
        if not data.startswith(_OK):
            sender.refused += 1
            if self._number >= sender.first:
                sender.refusals[said_by(data)] += 1
        elif self._number >= sender.first:
            sender.latencies_ns.append(monotonic_ns() - self._intended_ns)
            sender.acknowledged.append(self._number)
        sender.is_free(self)


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end, by its length or its last chunk."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    place = answer.find(_LENGTH, 0, end)
    if place < 0:
        return answer.endswith(_LAST_CHUNK)
    length = int(answer[place + len(_LENGTH) : answer.index(b"\r", place)])
    return len(answer) - end - 4 >= length


def said_by(answer: bytes) -> str:
    """Put what a refusal says into a few words: `503 overloaded, Retry-After 2`."""
    problem, retry_after = _PROBLEM.search(answer), _RETRY_AFTER.search(answer)
    return (
        answer[9:12].decode()
        + (f" {problem[1].decode()}" if problem else "")
        + (f", Retry-After {int(retry_after[1])}" if retry_after else "")
    )


async def _run(load: Load) -> Outcome:
    loop = asyncio.get_running_loop()
    sender = Sender(load)
    connections = [
        (await loop.create_connection(lambda: Connection(sender), "127.0.0.1", load.port))[1]
        for _ in range(load.connections)
    ]
    sender.start_ns = monotonic_ns()
    for connection in connections:
        sender.is_free(connection)
    if load.rate:
        sender.first = int(load.warm_up_s * load.rate)
        began_ns = sender.intended_ns(sender.first)
        busy_before_s = process_time()
        while sender.sent < sender.total:
            sender.send_due()
            await asyncio.sleep(_TICK_S)
            if sender.sent < sender.first:
                busy_before_s = process_time()
    else:
        await asyncio.sleep(load.warm_up_s)
        sender.first, began_ns, busy_before_s = sender.sent, monotonic_ns(), process_time()
        await asyncio.sleep(load.seconds)
        sender.stopped = True
    ended_ns, busy_s = monotonic_ns(), process_time() - busy_before_s
    deadline = loop.time() + ANSWERS_TIMEOUT_S
    while sender.answered < sender.sent and loop.time() < deadline:
        await asyncio.sleep(_TICK_S)
    return Outcome(
        first=sender.first,
        latencies_ns=list(sender.latencies_ns),
        acknowledged=list(sender.acknowledged),
        refused=sender.refused,
        refusals=dict(sender.refusals),
        measured=sender.sent - sender.first,
        unanswered=sender.sent - sender.answered,
        began_ns=began_ns,
        ended_ns=ended_ns,
        busy_s=busy_s,
    )


def main() -> None:
    """Run the load that standard input describes."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    Path(load.target).write_bytes(msgspec.msgpack.encode(uvloop.run(_run(load))))


if __name__ == "__main__":
    main()
