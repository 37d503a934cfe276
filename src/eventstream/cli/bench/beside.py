"""`eventstream bench`: what others do with the same load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventstream.cli.bench.options import (
    Connections,
    Rounds,
    Seconds,
    Servers,
    Target,
    chosen,
    save,
)
from eventstream.cli.options import with_settings
from eventstream.settings import HomeSettings

app = typer.Typer()


@app.command()
@with_settings
def peers(
    home: HomeSettings,
    count: Annotated[int, typer.Option(min=1000, help="Events in the topic.")] = 200_000,
    rounds: Rounds = 3,
    sources: Annotated[
        Path, typer.Option(help="The folder bench/peers/java of a clone of the repository.")
    ] = Path("bench/peers/java"),
    servers: Servers = None,
    target: Target = None,
) -> None:
    """No-op handlers by key beside Confluent's Parallel Consumer, keys by Zipf's law."""
    from eventstream.bench import budgets
    from eventstream.bench.peers import compiled_peer, run_peers
    from eventstream.bench.programs import measured_kafka

    with compiled_peer(home, sources) as peer, measured_kafka(servers, home) as kafka:
        report = run_peers(kafka, peer, count=count, rounds=rounds)
    for ours, by_key, unordered in zip(report.ours, report.by_key, report.unordered, strict=True):
        print(
            f"handlers {ours:>10,.0f}/s, Parallel Consumer by key {by_key:>10,.0f}/s,"
            f" unordered {unordered:>10,.0f}/s"
        )
    print(budgets.PEER.verdict(report.ratio))
    save(target, report)


@app.command()
@with_settings
def gateway_peer(
    home: HomeSettings,
    loads: Annotated[
        list[str] | None,
        typer.Argument(help="single, ndjson, paced (open loop); all when left out."),
    ] = None,
    connections: Connections = 256,
    rate: Annotated[int, typer.Option(min=1, help="Publishes a second of the open loop.")] = 20_000,
    seconds: Seconds = 8,
    rounds: Rounds = 3,
    keyed: Annotated[bool, typer.Option(help="Give single events keys, by Zipf's law.")] = True,
    auth: Annotated[bool, typer.Option(help="Show an API key, and have it checked.")] = True,
    sources: Annotated[
        Path, typer.Option(help="The folder bench/peers/go of a clone of the repository.")
    ] = Path("bench/peers/go"),
    servers: Servers = None,
    target: Target = None,
) -> None:
    """Our gateway beside one in Go (net/http, franz-go): single, NDJSON and open loop."""
    from eventstream.bench import budgets
    from eventstream.bench.gateway_peer import LOADS, run_gateway_peer
    from eventstream.bench.go_peer import NO_GO, built_peer, find_go
    from eventstream.bench.programs import measured_kafka
    from eventstream.local.progress import Terminal

    names = chosen("load", loads, LOADS)
    go = find_go()
    if go is None:
        print(NO_GO)
        return
    program = built_peer(go, home, sources, Terminal())
    with measured_kafka(servers, home) as kafka:
        report = run_gateway_peer(
            kafka,
            program,
            names,
            connections=connections,
            rate=rate,
            seconds=seconds,
            rounds=rounds,
            keyed=keyed,
            checks_keys=auth,
        )
    for name, load in report.loads.items():
        for pair in zip(load.ours, load.go, strict=True):
            for each in pair:
                print(f"{name:<6} {each}")
    for name, load in report.loads.items():
        figure = load.p99_ratio if name == "paced" else load.cpu_ratio
        print(budgets.GO_GATEWAY[name].verdict(figure))
    save(target, report)
