"""Requests to records and outcomes to answers; pure.

`contract.py` says what a format is; each file or folder beside it is one.
"""
