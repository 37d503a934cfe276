"""Handlers: which event may run now, what a failure means, what may be committed."""
