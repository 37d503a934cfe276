"""An app whose handler computes, in processes of its own."""

import os
import time
from pathlib import Path

from eventstream import App, Event, Permanent

app = App()


@app.on(os.environ.get("TOPIC", "numbers"), cpu_bound=True, concurrency=2)
def compute(number: int, event: Event) -> Event:
    """Write a number's square beside the process that made it; a negative one never ends."""
    if number == 0:
        raise Permanent("nothing to compute")
    if number < 0:
        Path(os.environ["COMPUTING"]).write_text(str(os.getpid()))
        while Path(os.environ["COMPUTING"]).exists():
            time.sleep(0.01)
    return Event(f"{event.topic}-squares", b"%d %d" % (number**2, os.getpid()), event.key)
