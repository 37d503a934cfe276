"""Events in over HTTP, an Apache Kafka log in the middle, parallel handlers out."""

from eventstream.errors import EventstreamError, Permanent, Transient
from eventstream.events import Event, Receipt
from eventstream.worker import App, Context, Retry

__version__ = "0.1.0"

__all__ = [
    "App",
    "Context",
    "Event",
    "EventstreamError",
    "Permanent",
    "Receipt",
    "Retry",
    "Transient",
    "__version__",
]
