"""HTTP loads: publishes over kept connections, from a process of their own.

`python -m eventstream.bench.load` reads a `Load` as JSON from standard input and writes what became
of it to the file it names; `run_load` does that from another process.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from array import array
from collections import deque
from pathlib import Path
from time import monotonic_ns
from typing import cast

import msgspec
import uvloop

from eventstream.bench.workload import value_of, zipf_keys

ANSWERS_TIMEOUT_S = 30.0
_TICK_S = 0.001
_OK = b"HTTP/1.1 200 "
_LENGTH = b"content-length: "


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
    target: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a load's measured part.

    Attributes:
        first: The number of the first event that was measured.
        latencies_ns: From the intended time to the answer, of acknowledged events.
        acknowledged: Their numbers.
        refused: Answers other than 200.
        unanswered: Requests without an answer.
        began_ns: When the measured part began, on the monotonic clock.
        ended_ns: When it ended.
    """

    first: int
    latencies_ns: list[int]
    acknowledged: list[int]
    refused: int
    unanswered: int
    began_ns: int
    ended_ns: int

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
        self.head = (
            f"POST /publish/{load.topic} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n"
            f"Content-Type: application/json\r\nContent-Length: {load.size}\r\n"
        ).encode()
        self.total = total
        self.sent = 0
        self.idle: deque[Connection] = deque()
        self.latencies_ns = array("q")
        self.acknowledged = array("q")
        self.refused = 0
        self.answered = 0
        self.start_ns = 0
        self.first = 0
        self.stopped = False

    def message(self, number: int, intended_ns: int) -> bytes:
        """Write one request."""
        load = self.load
        value = value_of(number, intended_ns, load.size)
        if load.keyed:
            key = self.keys[number % self.total]
            return b"%bEvent-Key: key-%d\r\n\r\n%b" % (self.head, key, value)
        return b"%b\r\n%b" % (self.head, value)

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
        place = data.find(_LENGTH)
        end = data.find(b"\r\n\r\n", place)
        if (
            place < 0
            or end < 0
            or len(data) - end - 4 < int(data[place + 16 : data.index(b"\r", place)])
        ):
            self._rest = data
            return
        self._rest = b""
        sender = self._sender
        sender.answered += 1
        if not data.startswith(_OK):
            sender.refused += 1
        elif self._number >= sender.first:
            sender.latencies_ns.append(monotonic_ns() - self._intended_ns)
            sender.acknowledged.append(self._number)
        sender.is_free(self)


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
        while sender.sent < sender.total:
            sender.send_due()
            await asyncio.sleep(_TICK_S)
        began_ns = sender.intended_ns(sender.first)
    else:
        await asyncio.sleep(load.warm_up_s)
        sender.first, began_ns = sender.sent, monotonic_ns()
        await asyncio.sleep(load.seconds)
        sender.stopped = True
    ended_ns = monotonic_ns()
    deadline = loop.time() + ANSWERS_TIMEOUT_S
    while sender.answered < sender.sent and loop.time() < deadline:
        await asyncio.sleep(_TICK_S)
    return Outcome(
        first=sender.first,
        latencies_ns=list(sender.latencies_ns),
        acknowledged=list(sender.acknowledged),
        refused=sender.refused,
        unanswered=sender.sent - sender.answered,
        began_ns=began_ns,
        ended_ns=ended_ns,
    )


def main() -> None:
    """Run the load that standard input describes."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    Path(load.target).write_bytes(msgspec.msgpack.encode(uvloop.run(_run(load))))


if __name__ == "__main__":
    main()
