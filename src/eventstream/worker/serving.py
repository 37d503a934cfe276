"""A worker on this machine: its processes, and its metrics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from eventstream.errors import InvalidSetting
from eventstream.supervision.child import Program
from eventstream.supervision.link import encode_job
from eventstream.supervision.supervisor import BACKOFF, Supervisor
from eventstream.worker.metrics_server import serve_metrics
from eventstream.worker.process import run
from eventstream.worker.reload import Files
from eventstream.worker.runner import LEAVE_TIMEOUT_S

if TYPE_CHECKING:
    from eventstream.worker.process import Job

EXIT_MARGIN_S = 10.0


def serve(job: Job) -> int:
    """Run a worker until a signal; return the exit status: 0 if everything ended well.

    Raises:
        InvalidSetting: The port of the metrics is taken, or there are no files to watch.
    """
    if job.worker.reload and not isinstance(job.app, str):
        raise InvalidSetting("A sink has no files to watch; leave --reload out.")
    with contextlib.ExitStack() as stack:
        if job.worker.metrics_port is not None:
            stack.enter_context(serve_metrics(job.home, job.worker.metrics_port))
        if job.worker.processes > 1 or job.worker.reload:
            return asyncio.run(_supervise(job))
        return run(job)


async def _supervise(job: Job) -> int:
    def job_of(number: int) -> bytes:
        return encode_job(replace(job, number=number))

    files = Files(job.app if isinstance(job.app, str) else "")
    supervisor = Supervisor(
        Program("worker", "eventstream.worker.process", job_of),
        job.worker.processes,
        job.worker.drain_timeout_s + LEAVE_TIMEOUT_S + EXIT_MARGIN_S,
        on_notice=files.heard,
        backoff=None if job.worker.reload else BACKOFF,
    )
    if not job.worker.reload:
        return await supervisor.run()
    watching = asyncio.create_task(files.watch(supervisor.restart))
    try:
        return await supervisor.run()
    finally:
        watching.cancel()
