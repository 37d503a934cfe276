"""An app whose handlers block the event loop, or never end, when an event asks for it."""

import asyncio
import os
import time

from journal_app import note

from eventstream import App

app = App()


@app.on(os.environ["TOPIC"])
async def handle(event):
    note("begin", event)
    if event.value == b"block":
        block(float(os.environ["BLOCK_S"]))
    elif event.value == b"hang":
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(float(os.environ["HANDLER_PAUSE_S"]))
    note("end", event)


def block(for_s):
    time.sleep(for_s)
