"""Gateways as a user starts them: processes of their own, in front of a real Kafka."""

import contextlib
import json
import queue
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from program import PROGRAM


@dataclass
class RunningGateway:
    process: subprocess.Popen
    port: int
    log: Path
    address: tuple[str, int] = field(init=False)

    def __post_init__(self):
        self.address = ("127.0.0.1", self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number=signal.SIGTERM, timeout_s=30):
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


@contextlib.contextmanager
def running_gateway(kafka, home: Path, *options: str):
    command = [
        PROGRAM,
        "gateway",
        "--port=0",
        f"--bootstrap-servers={kafka.bootstrap_servers}",
        f"--home={home}",
        "--log-format=json",
        *options,
    ]
    home.mkdir(parents=True, exist_ok=True)
    with (
        (home / "stdout").open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE) as process,
    ):
        listening = queue.Queue()
        reader = threading.Thread(target=read_log, args=(process.stderr, home / "log", listening))
        reader.start()
        try:
            entry = listening.get(timeout=30)
            assert entry, f"the gateway ended before it listened: {(home / 'log').read_text()}"
            yield RunningGateway(process, urlsplit(entry["url"]).port, home / "log")
        finally:
            process.terminate()
            process.wait(40)
            reader.join()


def read_log(lines, copy, listening):
    """Keep the gateway's log, and say when it listens, or that it ended."""
    with copy.open("wb") as file:
        for line in lines:
            file.write(line)
            file.flush()
            if b"gateway listens" in line:
                listening.put(json.loads(line))
    listening.put(None)
