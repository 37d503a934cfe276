"""A publish request's way to Kafka and its answer's way back: one core for both lanes.

`core.py` takes a request in and chooses: one event (`one.py`) and plain lines (`lines.py`) have a
short way of their own, every other format goes through `batch.py`.
"""
