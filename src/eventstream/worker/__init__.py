"""Handlers: which event runs when, what a failure means, what may be committed."""

from eventstream.worker.app import App

__all__ = ["App"]
