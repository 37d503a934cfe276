"""An app whose effects are a row and a balance for each event, in one transaction with it."""

import os

from psycopg import AsyncConnection

from eventstream import App, Event
from eventstream.sinks.postgres import Postgres

ACCOUNTS = 1000
app = App()


@app.on(os.environ.get("TOPIC", "transfers"), ledger=Postgres())
async def transfer(event: Event, tx: AsyncConnection) -> None:
    number = int(event.value)
    await tx.execute("INSERT INTO transfers VALUES (%s)", [number])
    await tx.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", [number % ACCOUNTS])
