"""Charges each order once: `eventstream worker examples.orders.charging:app --group charging`."""

import msgspec
from psycopg import AsyncConnection

from eventstream import App, Permanent, Retry
from eventstream.sinks.postgres import Postgres

app = App()


class Order(msgspec.Struct):
    """What a customer sends."""

    id: int
    customer: str
    card: str
    cents: int


@app.on("orders", ledger=Postgres(), retry=Retry(attempts=3), on_failure="park")
async def charge(order: Order, tx: AsyncConnection) -> None:
    """Charge an order; one whose card is blocked is parked, and its customer's later ones too."""
    found = await tx.execute("SELECT is_blocked FROM cards WHERE number = %s", [order.card])
    card = await found.fetchone()
    if card is None or card[0]:
        raise Permanent(f"card {order.card} is blocked")
    await tx.execute(
        "INSERT INTO charges VALUES (%s, %s, %s)", (order.id, order.customer, order.cents)
    )
