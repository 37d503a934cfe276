"""An app that refuses some keys' third event while a file says so."""

import os
from pathlib import Path

from journal_app import note

from eventstream import App, Permanent

app = App()
refused = Path(os.environ["REFUSED"])


@app.on(os.environ["TOPIC"], on_failure="park")
async def handle(event):
    if event.value == b"2" and is_refused(event.key.decode()):
        raise Permanent("refused")
    note("begin", event)
    note("end", event)


def is_refused(key):
    return key in refused.read_text().split()
