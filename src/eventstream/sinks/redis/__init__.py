"""Redis and Valkey: what events change there, and the position they came from, in one step."""

from eventstream.sinks.redis.commands import (
    Add,
    Command,
    Delete,
    HashAdd,
    HashDelete,
    HashSet,
    Set,
    SortedAdd,
    StreamAdd,
)
from eventstream.sinks.redis.settings import Redis

__all__ = [
    "Add",
    "Command",
    "Delete",
    "HashAdd",
    "HashDelete",
    "HashSet",
    "Redis",
    "Set",
    "SortedAdd",
    "StreamAdd",
]
