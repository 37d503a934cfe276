"""An app that writes events into the table of `transfers`."""

import os

from eventstream import App
from eventstream.sinks.postgres import Table

app = App()
app.sink(os.environ["TOPIC"], Table("transfers", {"value": "value"}, mode="append"))
