"""A /metrics of the worker's own, for machines where no gateway serves it."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import InvalidSetting
from eventstream.observe.exposition import CONTENT_TYPE, ProcessSamples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.settings import HomeSettings

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def serve_metrics(home: HomeSettings, port: int) -> Iterator[int]:
    """Serve the metrics of all processes of this machine, as they were up to a second ago.

    A thread answers: it reads what the processes write, and asks no event loop.

    Args:
        home: Where the processes leave their metrics.
        port: The port on all addresses; 0 takes a free one.

    Yields:
        The port.

    Raises:
        InvalidSetting: The port is taken.
    """
    samples = ProcessSamples(home.home / "metrics", tuple)

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.path.partition("?")[0] == "/metrics"
            body = samples.render() if is_known else b"Look at /metrics.\n"
            self.send_response(200 if is_known else 404)
            self.send_header("Content-Type", CONTENT_TYPE if is_known else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("", port), Metrics)
    except OSError as error:
        raise InvalidSetting(
            f"--metrics-port {port} cannot be listened on: {error.strerror}; choose another, or 0."
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics served", url=f"http://localhost:{server.server_port}/metrics")
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        samples.close()
