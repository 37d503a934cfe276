"""Loads, measurements and their reports.

Latency is measured open loop: from the time an event was meant to be sent, whether or not the load
could send it then. Percentiles come from one histogram of all values; they are never averaged.
"""
