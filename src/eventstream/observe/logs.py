"""Structured logs: readable in a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import logging
import re
import sys
import zlib
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

    from eventstream.settings import LogSettings

REST_S = 30.0
"""How long a line of the Kafka client is not repeated, in seconds."""
_REMEMBERED = 256
_NUMBERS = re.compile(r"\d+")


def configure_logging(settings: LogSettings) -> None:
    """Send every log line, ours and the libraries', to standard error in one form."""
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("eventstream.kafka").filters[:] = [Sparse()]
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True


class Sparse(logging.Filter):
    """Lets a line pass that did not, but for its numbers, pass a moment ago.

    Kafka's client says of a broker that is gone at each attempt that it is gone.
    """

    def __init__(self, rest_s: float = REST_S) -> None:
        super().__init__()
        self._rest_s = rest_s
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide about one line."""
        like = _NUMBERS.sub("#", record.getMessage())
        last = self._passed.get(like)
        if last is not None and record.created - last < self._rest_s:
            return False
        if len(self._passed) >= _REMEMBERED:
            self._passed.clear()
        self._passed[like] = record.created
        return True


def key_hash(key: bytes | None) -> str | None:
    """Name a key in a log line without telling it: eight hexadecimal digits."""
    return None if key is None else f"{zlib.crc32(key):08x}"


def where(event: Any) -> dict[str, Any]:
    """Fields that every line about an event carries."""
    return {
        "topic": event.topic,
        "partition": event.partition,
        "offset": event.offset,
        "key_hash": key_hash(event.key),
    }
