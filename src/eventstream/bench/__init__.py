"""Loads, measurements and their reports."""
