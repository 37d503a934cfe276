"""`eventstream bench`: events on their way in."""

from __future__ import annotations

import statistics
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
def pipeline(
    home: HomeSettings,
    rate: Annotated[int, typer.Option(min=1, help="Single publishes a second.")] = 10_000,
    seconds: Seconds = 30,
    connections: Connections = 256,
    servers: Servers = None,
    target: Target = None,
) -> None:
    r"""HTTP to handler, open loop: latencies, and what was lost, doubled or out of order.

    Exits 1 if anything was.

    Example:
      eventstream bench pipeline --rate 10000 --seconds 30 --json pipeline.json
    """
    from eventstream.bench import budgets
    from eventstream.bench.pipeline import run_pipeline
    from eventstream.bench.programs import measured_kafka

    with measured_kafka(servers, home) as kafka:
        report = run_pipeline(kafka, rate=rate, seconds=seconds, connections=connections)
    print(
        f"{report.acknowledged_per_second:,.0f} of {rate:,} publishes/s acknowledged over"
        f" {connections} connections for {seconds:g} s\n"
        f"  publish     {report.publish}\n"
        f"  end to end  {report.end_to_end}\n"
        f"  CPU per event: gateway {report.gateway_us:.1f} µs, worker {report.worker_us:.1f} µs\n"
        f"  lost {report.lost}, duplicated {report.duplicated},"
        f" out of order {report.out_of_order}, refused {report.refused},"
        f" unanswered {report.unanswered}"
    )
    if rate in budgets.PIPELINE:
        print(budgets.PIPELINE[rate].verdict(report.end_to_end.p99_ms))
    save(target, report)
    if not report.sound:
        raise typer.Exit(1)


@app.command()
@with_settings
def gateway(
    home: HomeSettings,
    connections: Connections = 256,
    seconds: Seconds = 8,
    rounds: Rounds = 3,
    keyed: Annotated[bool, typer.Option(help="Give events keys, by Zipf's law.")] = False,
    servers: Servers = None,
    target: Target = None,
) -> None:
    """CPU per acknowledged publish of the fast lane and of the ASGI routes, closed loop."""
    from eventstream.bench import budgets
    from eventstream.bench.gateway import run_gateway
    from eventstream.bench.programs import measured_kafka

    with measured_kafka(servers, home) as kafka:
        report = run_gateway(
            kafka, connections=connections, seconds=seconds, rounds=rounds, keyed=keyed
        )
    for each in report.rounds:
        print(each)
    print(
        f"medians: fast lane {report.fast_us:.1f} µs, ASGI {report.asgi_us:.1f} µs,"
        f" ratio {report.ratio}"
    )
    print(budgets.LANES.verdict(report.ratio))
    save(target, report)


@app.command()
@with_settings
def publish(
    home: HomeSettings,
    count: Annotated[int, typer.Option(min=1000, help="Events in each round.")] = 1_000_000,
    size: Annotated[int, typer.Option(min=11, help="Bytes of each value.")] = 100,
    rounds: Rounds = 5,
    servers: Servers = None,
    target: Target = None,
) -> None:
    """`eventstream publish` beside Kafka's own kafka-producer-perf-test."""
    from eventstream.bench import budgets
    from eventstream.bench.programs import measured_kafka
    from eventstream.bench.publish import run_publish

    with measured_kafka(servers, home) as kafka:
        report = run_publish(kafka, home, count=count, size=size, rounds=rounds)
    for ours, perf_test in zip(report.ours, report.perf_test, strict=True):
        print(f"eventstream publish {ours:>10,.0f}/s, perf-test {perf_test:>10,.0f}/s")
    print(budgets.BULK.verdict(report.ratio))
    save(target, report)


@app.command()
@with_settings
def formats(
    home: HomeSettings,
    forms: Annotated[
        list[str] | None, typer.Argument(help="Formats to measure; all when left out.")
    ] = None,
    connections: Connections = 256,
    seconds: Seconds = 8,
    rounds: Rounds = 1,
    keyed: Annotated[bool, typer.Option(help="Give events keys, by Zipf's law.")] = True,
    servers: Servers = None,
    target: Target = None,
) -> None:
    """One event a request in each format the gateway takes, closed loop.

    Exits 1 if the gateway refuses one.
    """
    from eventstream.bench import budgets
    from eventstream.bench.formats import run_formats
    from eventstream.bench.programs import measured_kafka
    from eventstream.bench.requests import FORMS

    names = chosen("format", forms, FORMS)
    with measured_kafka(servers, home) as kafka:
        report = run_formats(
            kafka,
            names,
            connections=connections,
            seconds=seconds,
            rounds=rounds,
            keyed=keyed,
        )
    for form, measured in report.rounds.items():
        for each in measured:
            print(each)
        if form in report.refused:
            print(f"{form:<22} {report.refused[form]}")
        elif form in budgets.FORMATS:
            rate = statistics.median(each.acknowledged_per_second for each in measured)
            print(budgets.FORMATS[form].verdict(rate))
    save(target, report)
    if report.refused:
        raise typer.Exit(1)


@app.command()
@with_settings
def overload(
    home: HomeSettings,
    seconds: Seconds = 121,
    times: Annotated[float, typer.Option(min=1, help="What is offered, over the best.")] = 4,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections of the overload; more than --max-in-flight.")
    ] = 4096,
    quota_kb: Annotated[
        int, typer.Option(min=1, help="KB a second that Kafka takes from the gateway.")
    ] = 4000,
    max_in_flight: Annotated[
        int, typer.Option(min=1, help="Events that may wait in the gateway.")
    ] = 2000,
    servers: Servers = None,
    target: Target = None,
) -> None:
    """More single publishes than Kafka takes: what is still acknowledged, and the memory it costs.

    A quota in the broker holds the gateway to a rate that this machine can offer several times
    over. First that rate is found by a closed loop, then a multiple of it is offered, open loop,
    by clients that never heed Retry-After. Exits 1 if a budget is missed, a request got no answer,
    or a refusal did not say when to come again.

    Example:
      eventstream bench overload --seconds 121 --times 4
    """
    from eventstream.bench import budgets
    from eventstream.bench.overload import run_overload
    from eventstream.bench.programs import measured_kafka

    if connections <= max_in_flight:
        raise typer.BadParameter(
            f"{connections} connections cannot fill {max_in_flight} events in flight; give more"
            " --connections, or less --max-in-flight."
        )
    with measured_kafka(servers, home) as kafka:
        report = run_overload(
            kafka,
            seconds=seconds,
            times=times,
            connections=connections,
            quota_bytes=quota_kb * 1000,
            max_in_flight=max_in_flight,
        )
    print(
        f"best {report.best_per_second:,.0f}/s; offered {report.offered_per_second:,.0f}/s"
        f" ({report.offered}-fold), acknowledged {report.goodput_per_second:,.0f}/s\n"
        f"  acknowledged  {report.publish}"
    )
    for said, count in report.refused.items():
        print(f"  refused       {said}: {count:,}")
    print(
        f"  unanswered    {report.unanswered}\n"
        f"  gateway       {report.busy:.0%} of a core; memory {report.rss_mb[0]:.0f} MB at first,"
        f" {report.rss_mb[-1]:.0f} at last, {max(report.rss_mb):.0f} at most"
    )
    print(budgets.GOODPUT.verdict(report.goodput))
    print(budgets.GROWTH.verdict(report.growth))
    save(target, report)
    is_met = budgets.GOODPUT.is_met(report.goodput) and budgets.GROWTH.is_met(report.growth)
    if not (is_met and report.sound):
        raise typer.Exit(1)
