"""Every format is measured, and one the gateway refuses is said to be, with exit 1."""

import json

import pytest
from typer.testing import CliRunner

from eventstream.bench import formats
from eventstream.bench.formats import FormatsReport
from eventstream.bench.latency import Latency
from eventstream.bench.rounds import Round
from eventstream.cli.bench import app

MEASURED = Round(
    name="v3-json",
    cpu_us=10.0,
    acknowledged_per_second=21_000.0,
    refused=0,
    unanswered=0,
    load_share=0.3,
    publish=Latency(1.0, 2.0, 3.0, 4.0),
)


@pytest.fixture
def bench(monkeypatch):
    """Run `bench formats` with a report in place of a measurement."""

    def bench(report):
        monkeypatch.setattr(formats, "run_formats", lambda *_, **__: report)
        return CliRunner().invoke(app, ["formats", "--bootstrap-servers", "127.0.0.1:9"])

    return bench


def test_a_refused_format_is_named_and_ends_it_with_1(bench):
    rounds = {"v2-json": [], "v3-json": [MEASURED]}
    answer = bench(FormatsReport(rounds=rounds, refused={"v2-json": "answered 405: No."}))
    assert answer.exit_code == 1
    assert "v2-json                answered 405: No.\n" in answer.stdout
    assert (
        "budget met: REST Proxy v3, one record a request 21,000/s, at least 20,000/s"
        in answer.stdout
    )


def test_with_all_formats_taken_it_ends_with_0(bench):
    assert bench(FormatsReport(rounds={"v3-json": [MEASURED]}, refused={})).exit_code == 0


def test_a_format_that_is_none_is_refused_with_those_there_are(run):
    answer = run("bench", "formats", "xml")
    assert answer.returncode == 2
    assert "There is no format 'xml'" in answer.stderr


@pytest.mark.kafka
def test_formats_are_measured_in_a_real_run(run, kafka, tmp_path):
    target = tmp_path / "formats.json"
    answer = run(
        *("bench", "formats", "json", "--seconds", "1", "--connections", "4"),
        *("--bootstrap-servers", kafka.bootstrap_servers, "--json", str(target)),
    )
    assert answer.returncode == 0, answer.stderr
    (measured,) = json.loads(target.read_text())["rounds"]["json"]
    assert measured["acknowledged_per_second"] > 0
    assert measured["refused"] == measured["unanswered"] == 0
