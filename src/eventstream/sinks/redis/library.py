"""The functions that do the writing inside the server; they are eventstream.lua."""

from __future__ import annotations

import hashlib
from importlib.resources import files

_TEXT = files(__package__).joinpath("eventstream.lua").read_bytes()

NAME = f"eventstream_{hashlib.sha256(_TEXT).hexdigest()[:12]}"
"""The library's name says which text it is: other versions may be on the server beside it."""
CODE = f"#!lua name={NAME}\n".encode() + _TEXT.replace(b"NAME_", NAME.encode() + b"_")

WRITE = f"{NAME}_write".encode()
ADD = f"{NAME}_add".encode()
TAKE_OVER = f"{NAME}_take_over".encode()
POSITION = f"{NAME}_position".encode()
