"""Counts what was ordered: `eventstream worker examples.orders.counting:app --group counting`."""

from eventstream import App, Event
from eventstream.sinks.redis import Command, HashAdd, Redis

app = App()


def totals(event: Event) -> list[Command]:
    """Add an order to its customer's totals."""
    order = event.json()
    return [
        HashAdd("orders:count", order["customer"], 1),
        HashAdd("orders:cents", order["customer"], order["cents"]),
    ]


app.sink("orders", Redis(totals))
