"""Events in over HTTP, an Apache Kafka log in the middle, parallel handlers out."""

from eventstream.errors import EventstreamError, Permanent, Transient
from eventstream.events import Event, Receipt
from eventstream.worker import App, Retry

__version__ = "0.1.0"

__all__ = [
    "App",
    "Event",
    "EventstreamError",
    "Permanent",
    "Receipt",
    "Retry",
    "Transient",
    "__version__",
]
