"""`eventstream worker`."""

from typing import Annotated

import typer

from eventstream.cli.options import with_settings
from eventstream.settings import HomeSettings, KafkaSettings, LogSettings, WorkerSettings


@with_settings
def worker(
    app: Annotated[
        str, typer.Argument(help="The app, module:attribute; this folder is looked in first.")
    ],
    settings: WorkerSettings,
    kafka: KafkaSettings,
    home: HomeSettings,
    logs: LogSettings,
) -> None:
    r"""Run an app's handlers on the events of their topics.

    On SIGTERM or Ctrl-C running handlers finish and what is done is committed; the second time it
    exits at once, and what was not committed comes again. On SIGHUP several processes are
    restarted one after the other; one that is alone stops.

    Examples:
      eventstream worker shop:app --reload
      eventstream worker shop.handlers:app --processes 4 --group shop
    """
    from eventstream.observe.logs import configure_logging
    from eventstream.worker.process import Job, leave_lingering_threads
    from eventstream.worker.serving import serve

    configure_logging(logs)
    status = serve(Job(app, settings, kafka, home, logs))
    leave_lingering_threads(status)
    raise typer.Exit(status)
