"""Worker processes, as a user starts them, and the journal their handlers write."""

import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from workers import publish

from waiting import wait_until

PROGRAM = Path(sys.executable).with_name("eventstream")
HERE = Path(__file__).parent
CLASSIC = [
    "--kafka-option=group.protocol=classic",
    "--kafka-option=session.timeout.ms=6000",
    "--kafka-option=heartbeat.interval.ms=500",
]


class Entry(NamedTuple):
    what: str
    pid: int
    partition: int
    offset: int
    key: str


class Journal:
    """What handlers did, in the order they did it, whichever process they ran in."""

    def __init__(self, path):
        self.path = path

    def entries(self):
        if not self.path.exists():
            return []
        *whole, _ = self.path.read_text().split("\n")  # the last line may be half written
        lines = [line.split() for line in whole]
        return [Entry(line[0], *map(int, line[1:4]), line[4]) for line in lines]

    def ended(self):
        return Counter((one.partition, one.offset) for one in self.entries() if one.what == "end")

    def lines(self):
        """How many lines there are by now."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))

    def assert_effects_in_order(self):
        """Each key's events ended first in their order: repeats of earlier ones change nothing."""
        seen, last = set(), {}
        for one in self.entries():
            lane = one.partition, one.key
            if one.what == "end" and (one.partition, one.offset) not in seen:
                seen.add((one.partition, one.offset))
                assert one.offset > last.get(lane, -1), f"{one} after {last[lane]}"
                last[lane] = one.offset

    def pids(self):
        return {one.pid for one in self.entries()}

    def assert_order(self, *, within_process=False):
        """Events of a key began in order, each after the one before it had ended."""
        running, newest = {}, {}
        for one in self.entries():
            lane = one.partition, one.key, one.pid if within_process else 0
            if one.what == "begin":
                assert running.setdefault(lane, None) is None, f"{one} beside {running[lane]}"
                assert one.offset > newest.get(lane, -1), f"{one} after {newest[lane]}"
                running[lane] = newest[lane] = one.offset
            else:
                assert running[lane] == one.offset
                running[lane] = None


class Processes:
    """Starts `eventstream worker` on the journal's app; ends whatever is left at the end."""

    def __init__(self, kafka, topic, group, folder):
        self.journal = Journal(folder / "journal")
        self._folder = folder
        self._environment = {
            **os.environ,
            "JOURNAL": str(self.journal.path),
            "TOPIC": topic,
            "EVENTSTREAM_HOME": str(folder / "home"),
            "EVENTSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "EVENTSTREAM_GROUP": group,
            "EVENTSTREAM_LOG_FORMAT": "json",
        }
        self._started = []

    def start(
        self,
        *options,
        app="journal_app:app",
        command=None,
        folder=HERE,
        stdin=subprocess.DEVNULL,
        **environment,
    ):
        log = self._folder / f"log-{len(self._started)}"
        program = command or [PROGRAM, "worker", app, *options]
        with log.open("wb") as output:
            process = subprocess.Popen(
                program,
                stdin=stdin,
                stderr=output,
                cwd=folder,
                env={**self._environment, **environment},
            )
        self._started.append(process)
        return Running(process, log)

    def end_all(self):
        for process in self._started:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children():
                    child.kill()
            process.kill()
            process.wait()


class Running:
    """One command, and the lines of its log."""

    def __init__(self, process, log):
        self.process = process
        self.pid = process.pid
        self._log = log

    def lines(self, event=None):
        found = []
        for line in self._log.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line)
                if event is None or entry["event"] == event:
                    found.append(entry)
        return found

    def text(self):
        return self._log.read_text()

    def wait_for(self, event, count=1, timeout_s=20):
        with contextlib.suppress(AssertionError):
            wait_until(
                lambda: len(self.lines(event)) >= count or self.process.poll() is not None,
                timeout_s,
                event,
            )
        assert len(self.lines(event)) >= count, f"no {event!r} in\n{self.text()}"
        return self.lines(event)

    def wait(self, timeout_s=20):
        return self.process.wait(timeout_s)

    def signal(self, number):
        self.process.send_signal(number)

    def children(self):
        return [child.pid for child in psutil.Process(self.pid).children()]


class Stream(threading.Thread):
    """Publishes numbered events, 50 keys in turn, until told to stop."""

    def __init__(self, kafka, topic):
        super().__init__()
        self.count = 0
        self._kafka = kafka
        self._topic = topic
        self._stopped = threading.Event()

    def run(self):
        while not self._stopped.wait(0.01):
            records = [
                (b"key-%d" % (n % 50), b"%d" % n) for n in range(self.count, self.count + 20)
            ]
            publish(self._kafka, self._topic, records)
            self.count += 20

    def stop(self):
        self._stopped.set()
        if self.is_alive():
            self.join()
        return self.count
