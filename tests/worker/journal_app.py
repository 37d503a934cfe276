"""An app that notes in a file when handlers begin and end, for tests that look from outside."""

import asyncio
import os

from eventstream import App

app = App()
journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
pause_s = float(os.environ.get("HANDLER_PAUSE_S", "0.001"))


def note(what, event):
    line = f"{what} {os.getpid()} {event.partition} {event.offset} {event.key.decode()}\n"
    os.write(journal, line.encode())


@app.on(os.environ["TOPIC"], concurrency=int(os.environ.get("CONCURRENCY", "16")))
async def handle(event):
    note("begin", event)
    await asyncio.sleep(pause_s)
    note("end", event)
