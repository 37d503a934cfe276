"""Prints every event of the topic `events`: `eventstream worker examples.hello:app`."""

from eventstream import App, Event

app = App()


@app.on("events")
async def hello(event: Event) -> None:
    """Print where the event stands, its key and its value."""
    print(f"{event.topic}/{event.partition}/{event.offset}", event.key, event.value, flush=True)
