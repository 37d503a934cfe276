"""Bulk publishing of generated events from several processes, a share of the events each.

Each process has keys of its own, so the events of a key still follow each other. A process is
started as `python -m eventstream.publisher.shares`: it reads its share as a line of JSON and writes
lines back, now and then how many events are acknowledged, at the end what became of all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Self, cast

import msgspec

from eventstream.errors import EventstreamError, InvalidSetting
from eventstream.publisher import bulk, sources
from eventstream.publisher.bulk import Interrupt
from eventstream.publisher.report import Outcome
from eventstream.settings import BulkProducerSettings, KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.publisher.bulk import Progress

WORTH_A_PROCESS = 250_000
"""Events that take longer to send than a process takes to start."""
TELL_INTERVAL_S = 0.1


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one process publishes.

    Attributes:
        topic: Where to.
        count: How many events.
        size: Bytes of each value.
        keys: How many different keys all shares have together; 0 for events without keys.
        number: Which share this is, from 0.
        shares: How many there are.
        kafka: How to reach Kafka.
        sending: How to send.
    """

    topic: str
    count: int
    size: int
    keys: int
    number: int
    shares: int
    kafka: KafkaSettings
    sending: BulkProducerSettings

    def publish(self, progress: Progress, interrupt: Interrupt) -> Outcome:
        """Publish it from this process."""
        names = [b"key-%d" % key for key in range(self.number, self.keys, self.shares)]
        source = sources.generated(self.count, self.size, names, seed=self.number)
        return bulk.publish(self.topic, source, self.kafka, self.sending, progress, interrupt)


class Told(msgspec.Struct, frozen=True):
    """A line of a process: how many events are acknowledged, and the outcome at the end."""

    acknowledged: int
    outcome: Outcome | None = None


def best_number(count: int, keys: int) -> int:
    """Say how many processes publish so many events soonest on this machine."""
    most = min(os.cpu_count() or 1, 4, keys or count)
    return max(1, min(most, count // WORTH_A_PROCESS))


def split(whole: Share) -> list[Share]:
    """Divide a share's events into `whole.shares` shares.

    Raises:
        InvalidSetting: There are fewer keys than shares.
    """
    if 0 < whole.keys < whole.shares:
        raise InvalidSetting(
            f"--processes is {whole.shares}, but there are only {whole.keys} keys to share out;"
            " a key's events come from one process, so that they keep their order."
        )
    each, more = divmod(whole.count, whole.shares)
    return [
        msgspec.structs.replace(whole, number=number, count=each + (number < more))
        for number in range(whole.shares)
    ]


def publish(shares: list[Share], progress: Progress) -> list[Outcome]:
    """Publish shares beside each other; one alone is published from this process.

    Ctrl-C goes on to all processes.

    Raises:
        EventstreamError: A process ended without saying what became of its events.
    """
    if len(shares) == 1:
        with Interrupt() as interrupt:
            return [shares[0].publish(progress, interrupt)]
    with ExitStack() as stack:
        running = [stack.enter_context(_Running(share)) for share in shares]

        def told() -> None:
            progress(sum(each.acknowledged for each in running))

        with _Forwarded(running):
            threads = [threading.Thread(target=each.listen, args=(told,)) for each in running]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return [each.result() for each in running]


class _Running:
    """A process and what it has told; out of reach of the terminal's Ctrl-C."""

    def __init__(self, share: Share) -> None:
        self.acknowledged = 0
        self._outcome: Outcome | None = None
        self._takes_signals = False
        self._signals: list[int] = []
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        with cast("IO[bytes]", self._process.stdin) as told:
            told.write(msgspec.json.encode(share) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def listen(self, told: Callable[[], None]) -> None:
        """Take what the process tells until it ends."""
        with cast("IO[bytes]", self._process.stdout) as lines:
            for line in lines:
                message = msgspec.json.decode(line, type=Told)
                self.acknowledged = message.acknowledged
                self._outcome = message.outcome
                self._takes_signals = True
                while self._signals:
                    self._process.send_signal(self._signals.pop())
                told()

    def signal(self, number: int) -> None:
        """Pass a signal on, as soon as the process can take one."""
        if self._takes_signals:
            self._process.send_signal(number)
        else:
            self._signals.append(number)

    def result(self) -> Outcome:
        """Return what became of its events."""
        if self._outcome is None:
            raise EventstreamError(
                f"A publishing process ended (status {self._process.wait()}) and did not say what"
                f" became of its events; {self.acknowledged:,} of them are acknowledged."
            )
        return self._outcome


class _Forwarded:
    """Signals of this process go on to those it started."""

    def __init__(self, running: list[_Running]) -> None:
        self._running = running

    def __enter__(self) -> None:
        self._before = {
            number: signal.signal(number, self._forward)
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _forward(self, number: int, _: object) -> None:
        for each in self._running:
            each.signal(number)


def main() -> None:
    """Publish the share that standard input describes."""
    due_s = 0.0

    def tell(acknowledged: int) -> None:
        nonlocal due_s
        if (now_s := time.monotonic()) >= due_s:
            due_s = now_s + TELL_INTERVAL_S
            _write(Told(acknowledged))

    with Interrupt() as interrupt:
        tell(0)
        share = msgspec.json.decode(sys.stdin.buffer.readline(), type=Share)
        outcome = share.publish(tell, interrupt)
        _write(Told(outcome.acknowledged, outcome))


def _write(message: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
