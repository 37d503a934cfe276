"""One worker process, from its start to its stop.

Alone, it is the process of the command itself. One of several is started by a supervisor, which
gives it its job; when the supervisor is gone the process stops as it does on SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import structlog
import uvloop

from eventstream.errors import EventstreamError, InvalidSetting
from eventstream.observe.exposition import WRITE_INTERVAL_S, ProcessSamples
from eventstream.observe.logs import configure_logging
from eventstream.settings import HomeSettings, KafkaSettings, LogSettings, WorkerSettings
from eventstream.supervision.collector import calm_collector
from eventstream.supervision.link import MISCONFIGURED, Link, Notice
from eventstream.supervision.signals import stop_signals
from eventstream.worker.loading import load_app
from eventstream.worker.reach import KafkaReach
from eventstream.worker.reload import program_files
from eventstream.worker.runner import Worker
from eventstream.worker.sink_apps import SinkApp
from eventstream.worker.subscription import Subscription
from eventstream.worker.watchdog import watching

if TYPE_CHECKING:
    from types import FrameType

    from eventstream.worker.app import App

log = structlog.get_logger(__name__)

LINGERING_THREADS_S = 1.0
READY_TIMEOUT_S = 30.0
"""How long a process may wait for its first partitions before others count it as ready."""


class Job(msgspec.Struct, frozen=True):
    """What a process is to do: the app, by its name or as it is, all settings, and which it is."""

    app: str | SinkApp
    worker: WorkerSettings
    kafka: KafkaSettings
    home: HomeSettings
    logs: LogSettings
    number: int = 1

    @property
    def member(self) -> WorkerSettings:
        """The worker's settings with the static member's own name, if it is to be one."""
        name = self.worker.instance_id
        return replace(self.worker, instance_id=name and f"{name}-{self.number}")


def main() -> None:
    """Do the job that the supervisor gives, and exit."""
    link = Link.of_command_line()
    job = link.receive_job(Job)
    configure_logging(job.logs)
    with link.telling_failure():
        status = run(job, link)
    leave_lingering_threads(status)
    sys.exit(status)


def run(job: Job, link: Link | None = None) -> int:
    """Work until a signal, or until the supervisor at the other end of `link` is gone.

    Returns:
        The exit status: 0 if all ended well; what did not is logged as a sentence.
    """
    try:
        app = _load(job, link)
        calm_collector()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(app, job, link))
    except EventstreamError as error:
        log.error(str(error))  # noqa: TRY400 - a sentence for a person, not a bug
        if link is not None:
            link.tell_failure(str(error))
        return MISCONFIGURED if isinstance(error, InvalidSetting) else 1
    return 0


def _load(job: Job, link: Link | None) -> App:
    """Load the app; the supervisor is told its files if it watches them, well or broken."""
    if not isinstance(job.app, str):
        return job.app.make()
    try:
        return load_app(job.app)
    finally:
        if link is not None and job.worker.reload:
            link.tell(Notice(files=program_files(sys.exception())))


def leave_lingering_threads(status: int) -> None:
    """Exit now if a thread does not end: a handler that was given up, a call to Kafka."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(LINGERING_THREADS_S)
            if thread.is_alive():
                log.warning("a thread does not end; leaving without it", thread=thread.name)
                sys.stderr.flush()
                os._exit(status)


async def _work(app: App, job: Job, link: Link | None) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(app, KafkaReach(job.kafka, job.member), job.member)
    _stop_on_signals(worker, loop)
    samples = ProcessSamples(job.home.home / "metrics", worker.samples)
    beside = [loop.create_task(_write(samples))]
    if link is not None:
        link.answer(loop, worker.stop)
        beside.append(loop.create_task(_tell_when_ready(worker, link)))
    handlers = [each for each in app.subscriptions if isinstance(each, Subscription)]
    try:
        with watching(handlers, job.worker.blocked_after_s):
            await worker.run()
    finally:
        for task in beside:
            task.cancel()
        samples.close()


async def _tell_when_ready(worker: Worker, link: Link) -> None:
    """Say that the process is ready: it has partitions, or Kafka gives it none for a while."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(worker.ready.wait(), READY_TIMEOUT_S)
    link.tell(Notice(ready=True))


async def _write(samples: ProcessSamples) -> None:
    while True:
        await asyncio.sleep(WRITE_INTERVAL_S)
        samples.write()


def _stop_on_signals(worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
    """Stop on the first signal, exit at once on the second.

    The handlers are Python's own, not the loop's: they run even while a handler blocks the loop.
    """
    was_told = False

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal was_told
        if was_told:
            os._exit(128 + number)
        was_told = True
        loop.call_soon_threadsafe(worker.stop)

    for number in stop_signals():
        signal.signal(number, stop)


if __name__ == "__main__":
    main()
