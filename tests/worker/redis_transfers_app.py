"""An app whose effects are an entry of a stream and a balance for each event, in one step."""

import os

from transfers_app import ACCOUNTS

from eventstream import App, Event
from eventstream.sinks.redis import Command, HashAdd, Redis, StreamAdd


def effects(event: Event) -> list[Command]:
    number = int(event.value)
    moved = HashAdd("balances", str(number % ACCOUNTS), 1)
    return [StreamAdd("transfers", {"number": number}), moved]


app = App()
app.sink(os.environ["TOPIC"], Redis(effects))
