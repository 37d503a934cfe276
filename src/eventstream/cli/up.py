"""`eventstream up`, `status` and `down`: the whole stack on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventstream.cli.options import with_settings
from eventstream.cli.output import Json, print_json
from eventstream.errors import LocalServerError
from eventstream.settings import BrokerSettings, HomeSettings, StoreSettings

if TYPE_CHECKING:
    from eventstream.local.stack import Stack, StackState
EXAMPLE = "examples.hello:app"
REFRESH_S = 0.5
DETACHED_TIMEOUT_S = 180.0


@with_settings
def up(
    home: HomeSettings,
    broker: BrokerSettings,
    stores: StoreSettings,
    app: Annotated[
        str | None,
        typer.Argument(
            envvar="EVENTSTREAM_APP",
            help=f"What the worker runs, module:attribute; {EXAMPLE} where that is at hand.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(envvar="EVENTSTREAM_HOST", help="The gateway's address.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="EVENTSTREAM_PORT", help="The gateway's port.")
    ] = 8080,
    topic: Annotated[str, typer.Option(help="The topic of POST /publish.")] = "events",
    processes: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            envvar="EVENTSTREAM_WITH",
            metavar="DATABASES",
            help="Databases to start beside them: postgres, redis (a Valkey), or both with a comma"
            " between; see `eventstream dsn`.",
        ),
    ] = "",
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready; `down` stops it.")
    ] = False,
) -> None:
    r"""Start Kafka, the gateway and a worker; Ctrl-C stops them in order.

    Examples:
      eventstream up
      eventstream up shop.handlers:app --processes 2 --detach
      eventstream up --with postgres,redis
      curl -X POST http://localhost:8080/publish -H 'Content-Type: application/json' \
        -d '{"message": "Hello, Kafka!"}'
    """
    from eventstream.local.progress import Terminal
    from eventstream.local.stack import Stack, require_none
    from eventstream.local.stores import Stores, chosen

    names = chosen(with_)
    require_none(home)
    if detach:
        _detach(home)
        return
    if app is None and Path("examples/hello.py").is_file():
        app = EXAMPLE
    began = time.monotonic()
    progress = Terminal()
    stack = Stack(
        home,
        broker,
        host=host,
        port=port,
        topic=topic,
        app=app,
        processes=processes,
        stores=Stores(names, home, stores, progress),
        progress=progress,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack.start()
        _say_ready(stack, time.monotonic() - began)
        _watch(stack, home)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        stack.stop()


@with_settings
def status(home: HomeSettings, as_json: Json = False) -> None:
    """Show what runs on this machine.

    Exits 1 when nothing does.
    """
    from eventstream.local.stack import read_state

    state = read_state(home)
    if as_json:
        print_json(_facts(state))
    elif state is None:
        print("No stack runs here; start one: eventstream up.")
    else:
        print(f"kafka    {state.kafka}")
        for store in state.stores:
            pid = "" if store.process is None else f", pid {store.process.pid}"
            print(f"{store.name:<8} {store.where}  {store.state}{pid}")
        for service in state.services:
            alive = "ready" if service.process.running is not None else "ended"
            print(f"{service.name:<8} {service.where}  {alive}, pid {service.process.pid}")
    if state is None:
        raise typer.Exit(1)


@with_settings
def down(home: HomeSettings) -> None:
    """Stop the stack that `eventstream up` started, wherever that was."""
    from eventstream.local.process import wait_ended
    from eventstream.local.stack import read_state

    state = read_state(home)
    if state is None:
        print("No stack runs here.")
        return
    state.owner.signal(signal.SIGTERM)
    if wait_ended([state.owner], DETACHED_TIMEOUT_S):
        raise LocalServerError(
            f"Process {state.owner.pid} still runs after {DETACHED_TIMEOUT_S:.0f} s; kill it to end"
            " everything at once."
        )
    print("Stopped.")


@with_settings
def doctor(
    home: HomeSettings,
    broker: BrokerSettings,
    port: Annotated[
        int, typer.Option(envvar="EVENTSTREAM_PORT", help="The gateway's port.")
    ] = 8080,
    as_json: Json = False,
) -> None:
    """Say what this machine lacks for `eventstream up`, and how to get it.

    Exits 1 when something has to be mended first.
    """
    from eventstream.local.doctor import examine

    findings = list(examine(home, broker, port))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark = "ok " if finding.fine else "NOT"
            remedy = f" - {finding.remedy}" if finding.remedy else ""
            print(f"{mark} {finding.what:<15} {finding.state}{remedy}")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def _facts(state: StackState | None) -> dict[str, Any]:
    if state is None:
        return {"running": False}
    return {
        "running": True,
        "ready": state.ready,
        "pid": state.owner.pid,
        "kafka": state.kafka,
        "stores": [
            {
                "name": store.name,
                "where": store.where,
                "state": store.state,
                "pid": None if store.process is None else store.process.pid,
                "log": store.log,
            }
            for store in state.stores
        ],
        "services": [
            {
                "name": service.name,
                "where": service.where,
                "pid": service.process.pid,
                "running": service.process.running is not None,
                "log": service.log,
            }
            for service in state.services
        ],
    }


def _say_ready(stack: Stack, took_s: float) -> None:
    print(
        f"Ready after {took_s:.1f} s. Publish an event:\n\n"
        f"  curl -X POST {stack.url}/publish -H 'Content-Type: application/json' \\\n"
        '    -d \'{"message": "Hello, Kafka!"}\'\n',
        flush=True,
    )


def _watch(stack: Stack, home: HomeSettings) -> None:
    """Show what happens until Ctrl-C.

    Raises:
        LocalServerError: A program or a database ended by itself.
    """
    from rich.console import Console
    from rich.live import Live

    from eventstream.local.panel import LogTail, Rates, draw

    console = Console()
    rates = Rates(home.home / "metrics")
    tails = [LogTail(service) for service in stack.state.services]
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (news := stack.ended()) is None:
            for tail in tails:
                for line in tail.lines():
                    console.print(
                        f"{tail.name:<8} {line}", style="dim", markup=False, soft_wrap=True
                    )
            if console.is_terminal:
                rates.update()
                live.update(draw(stack, rates), refresh=True)
            time.sleep(REFRESH_S)
    raise LocalServerError(news)


def _detach(home: HomeSettings) -> None:
    """Start the same command in the background and wait until it is ready."""
    from eventstream.local.stack import read_state

    home.home.mkdir(parents=True, exist_ok=True)
    log = home.home / "up.log"
    arguments = [each for each in sys.argv[1:] if each != "--detach"]
    with log.open("wb") as output:
        background = subprocess.Popen(  # noqa: S603 - this very command
            [sys.executable, "-m", "eventstream", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while True:
        ended = background.poll() is not None
        text = log.read_text(errors="replace")
        state = read_state(home)
        if ended:
            raise LocalServerError(text.strip().split("\n")[-1] or "It did not start.")
        if state is not None and state.ready and "Ready after" in text:
            ready = text[text.index("Ready after") :]
            print(ready[: ready.index("}'") + 2])
            print("\nSee it with eventstream status, stop it with eventstream down.")
            return
        time.sleep(REFRESH_S / 5)
