"""The description of the HTTP interface (OpenAPI 3.1); pure.

Each family of routes describes its operations in a file of its own, in the nouns of `operations.py`
and with the problems of `refusals.py`; `document.py` puts them together.
"""
