"""`eventstream broker`: a real Kafka on this machine."""

import time
from typing import Annotated, Any

import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.settings import BrokerSettings, HomeSettings

app = typer.Typer(help="A real Apache Kafka on this machine.", no_args_is_help=True)

Node = Annotated[
    int | None, typer.Argument(help="The broker's id, 1 for the first; all when left out.")
]


@app.command()
@with_settings
def start(home: HomeSettings, broker: BrokerSettings, as_json: Json = False) -> None:
    """Start Kafka; it runs until `eventstream broker stop`.

    Examples:
      eventstream broker start
      eventstream broker start --brokers 3
      eventstream broker start --broker-port 0 --home /tmp/kafka --fresh --json
    """
    from eventstream.local import training
    from eventstream.local.kafka import LocalKafka
    from eventstream.local.progress import Terminal

    began = time.monotonic()
    kafka = LocalKafka(home, broker, progress=Terminal())
    started = kafka.start()
    took_s = time.monotonic() - began
    trains = False
    if started:
        kafka.detach()
        trains = training.begin_if_due(home)
    if as_json:
        print_json({"bootstrap_servers": kafka.bootstrap_servers, "started": started})
    elif started:
        print(f"Kafka is ready at {kafka.bootstrap_servers} ({took_s:.1f} s).")
        if trains:
            print("The next start will be quicker: the JVM's start-up cache is being made.")
    else:
        print(f"Kafka is running already at {kafka.bootstrap_servers}.")


@app.command()
@with_settings
def stop(home: HomeSettings) -> None:
    """Stop Kafka cleanly; its data stays.

    Example:
      eventstream broker stop
    """
    from eventstream.local.kafka import LocalKafka

    kafka = LocalKafka(home)
    if not kafka.is_running:
        print(f"No Kafka is running in {kafka.folder}.")
        return
    killed = kafka.stop()
    if killed:
        print(f"Kafka has stopped; {_brokers(killed)} took too long and had to be killed.")
    else:
        print("Kafka has stopped.")


@app.command()
@with_settings
def status(home: HomeSettings, as_json: Json = False) -> None:
    """Show each broker: its process, port, state, memory and data.

    Examples:
      eventstream broker status
      eventstream broker status --json | jq '.[].state'
    """
    from eventstream.local.kafka import LocalKafka

    kafka = LocalKafka(home)
    brokers = kafka.status()
    if as_json:
        print_json([broker._asdict() for broker in brokers])
    elif not brokers:
        print(f"There is no Kafka in {kafka.folder}; start one: eventstream broker start.")
    else:
        _print_table(brokers)


@app.command()
@with_settings
def kill(home: HomeSettings, node: Node = None) -> None:
    """Kill a broker as a crash would, to see what happens; `start` brings it back.

    Examples:
      eventstream broker kill 2
      eventstream broker kill && eventstream broker start
    """
    from eventstream.local.kafka import LocalKafka

    _report(LocalKafka(home).kill(node), "killed")


@app.command()
@with_settings
def pause(home: HomeSettings, node: Node = None) -> None:
    """Freeze a broker: it keeps its connections and answers nothing, until `resume`.

    Example:
      eventstream broker pause 1 && sleep 10 && eventstream broker resume 1
    """
    from eventstream.local.kafka import LocalKafka

    _report(LocalKafka(home).pause(node), "paused")


@app.command()
@with_settings
def resume(home: HomeSettings, node: Node = None) -> None:
    """Let a paused broker go on.

    Example:
      eventstream broker resume
    """
    from eventstream.local.kafka import LocalKafka

    _report(LocalKafka(home).resume(node), "resumed")


def _report(nodes: list[int], what: str) -> None:
    print(f"{_brokers(nodes).capitalize()} {what}." if nodes else f"Nothing to be {what}.")


def _brokers(nodes: list[int]) -> str:
    plural = "" if len(nodes) == 1 else "s"
    return f"broker{plural} {', '.join(map(str, nodes))}"


def _print_table(brokers: list[Any]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table("broker", "pid", "port", "state", "uptime", "memory", "data", box=SIMPLE)
    for broker in brokers:
        alive = broker.pid is not None
        table.add_row(
            str(broker.node),
            str(broker.pid) if alive else "",
            str(broker.port),
            broker.state,
            _duration(broker.uptime_s) if alive else "",
            _size(broker.memory_bytes) if alive else "",
            _size(broker.data_bytes),
        )
    Console().print(table)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"  # noqa: PLR2004
