"""`eventstream bench`: events being handled."""

from __future__ import annotations

import statistics
from typing import Annotated

import typer

from eventstream.cli.bench.options import Rounds, Servers, Target, save
from eventstream.cli.options import with_settings
from eventstream.settings import HomeSettings

app = typer.Typer()
Database = Annotated[
    str | None,
    typer.Option(
        envvar="EVENTSTREAM_POSTGRES_DSN",
        help="Measure with this PostgreSQL; a fresh local one when left out.",
    ),
]


@app.command()
@with_settings
def worker(
    home: HomeSettings,
    count: Annotated[int, typer.Option(min=1000, help="Events in the topic.")] = 2_000_000,
    rounds: Rounds = 5,
    servers: Servers = None,
    target: Target = None,
) -> None:
    """No-op handlers by key beside plain consume(), keys by Zipf's law."""
    from eventstream.bench import budgets
    from eventstream.bench.programs import measured_kafka
    from eventstream.bench.worker import run_worker

    with measured_kafka(servers, home) as kafka:
        report = run_worker(kafka, count=count, rounds=rounds)
    for handlers, plain in zip(report.handlers, report.plain, strict=True):
        print(f"handlers {handlers:>10,.0f}/s, plain consume() {plain:>10,.0f}/s")
    print(budgets.HANDLED.verdict(round(statistics.median(report.handlers))))
    print(budgets.HANDLERS.verdict(report.ratio))
    save(target, report)


@app.command()
@with_settings
def waiting(
    home: HomeSettings,
    seconds: Annotated[float, typer.Option(min=5, help="How long each of the two takes.")] = 60,
    key: Annotated[str, typer.Option(help="The key that fails; key-0 is the hottest.")] = "key-10",
    servers: Servers = None,
    target: Target = None,
) -> None:
    """Handlers that wait 5 ms, 64 at once, keys by Zipf's law; and what one failing key costs."""
    from eventstream.bench import budgets
    from eventstream.bench.programs import measured_kafka
    from eventstream.bench.waiting import run_waiting

    with measured_kafka(servers, home) as kafka:
        report = run_waiting(kafka, seconds=seconds, key=key)
    print(f"handlers {report.rate:,.0f}/s, bare tasks {report.well.bare:,.0f}/s")
    print(
        f"events of other keys in {seconds:g} s: {report.well.others:,};"
        f" with {key} failing, {report.failing.failed:,} times: {report.failing.others:,}"
    )
    print(budgets.WAITING.verdict(report.of_bare))
    print(budgets.OTHERS.verdict(report.others))
    save(target, report)


@app.command()
@with_settings
def transactions(
    home: HomeSettings,
    count: Annotated[int, typer.Option(min=1000, help="Events in the topic.")] = 40_000,
    rounds: Rounds = 3,
    servers: Servers = None,
    dsn: Database = None,
    target: Target = None,
) -> None:
    """Handlers in a ledger's transactions, 64 at once, beside plain transactions."""
    from eventstream.bench import budgets
    from eventstream.bench.programs import measured_kafka, measured_postgres
    from eventstream.bench.transactions import run_transactions

    with measured_kafka(servers, home) as kafka, measured_postgres(dsn) as where:
        report = run_transactions(kafka, where, count=count, rounds=rounds)
    for how, rates in report.rates.items():
        print(f"{how:<9}" + "".join(f"{rate:>9,.0f}/s" for rate in rates))
    print(f"over the same handlers without a ledger: {report.ratio('handlers')}")
    print(budgets.TRANSACTIONS.verdict(report.ratio("plain")))
    save(target, report)


@app.command()
@with_settings
def rows(
    home: HomeSettings,
    count: Annotated[int, typer.Option(min=50_000, help="Events in the topic.")] = 600_000,
    rounds: Rounds = 3,
    servers: Servers = None,
    dsn: Database = None,
    target: Target = None,
) -> None:
    """A topic into a table of PostgreSQL, beside COPY BINARY of the same rows without Kafka."""
    from eventstream.bench import budgets
    from eventstream.bench.programs import measured_kafka, measured_postgres
    from eventstream.bench.rows import run_rows

    with measured_kafka(servers, home) as kafka, measured_postgres(dsn) as where:
        report = run_rows(kafka, where, count=count, rounds=rounds)
    for sink, copy in zip(report.sink, report.copy, strict=True):
        print(f"table sink {sink:>10,.0f}/s, COPY BINARY {copy:>10,.0f}/s")
    print(budgets.ROWS.verdict(report.ratio))
    save(target, report)
