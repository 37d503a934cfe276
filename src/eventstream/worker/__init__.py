"""Handlers: which event runs when, what a failure means, what may be committed."""

from eventstream.worker.app import App
from eventstream.worker.context import Context
from eventstream.worker.retry import Retry

__all__ = ["App", "Context", "Retry"]
