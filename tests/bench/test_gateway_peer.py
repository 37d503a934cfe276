"""Rounds of two gateways come to medians and ratios; a machine without Go is told so."""

import json
import os

import pytest

from eventstream.bench.gateway_peer import Comparison
from eventstream.bench.go_peer import NO_GO, find_go
from eventstream.bench.latency import Latency
from eventstream.bench.rounds import Round
from eventstream.settings import HomeSettings, from_environment


def round_of(cpu_us=10.0, p99_ms=5.0, **fields):
    return Round(
        **{
            "name": "ours",
            "cpu_us": cpu_us,
            "acknowledged_per_second": 20_000.0,
            "refused": 0,
            "unanswered": 0,
            "load_share": 0.3,
            "publish": Latency(1.0, p99_ms, 9.0, 12.0),
            **fields,
        }
    )


def test_ratios_are_those_of_medians():
    comparison = Comparison(
        ours=[round_of(9, 4), round_of(500, 400), round_of(8, 6)],
        go=[round_of(20, 8), round_of(18, 12), round_of(1, 1)],
    )
    assert comparison.cpu_ratio == 0.5
    assert comparison.p99_ratio == 0.75


def test_a_round_tells_of_refused_requests_only_when_there_were_any():
    assert "refused" not in str(round_of())
    assert "load 30% of a core" in str(round_of())
    assert str(round_of(refused=3)).endswith("refused 3, unanswered 0")


def test_without_go_it_says_so_and_is_content(run):
    answer = run("bench", "gateway-peer")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == NO_GO + "\n"


def test_without_the_peers_sources_it_says_where_they_are(run, tmp_path):
    go = find_go()
    if go is None:
        pytest.skip(NO_GO)
    answer = run("bench", "gateway-peer", "--sources", str(tmp_path), PATH=os.environ["PATH"])
    assert answer.returncode == 1
    assert answer.stderr == (
        f"There is no Go gateway in {tmp_path}: run this in a clone of the repository, or name its"
        " bench/peers/go with --sources.\n"
    )


@pytest.mark.slow
@pytest.mark.kafka
def test_both_meet_all_three_loads(run, kafka, tmp_path, go_sources):
    target = tmp_path / "peer.json"
    answer = run(
        *("bench", "gateway-peer", "--rounds", "1", "--seconds", "1", "--rate", "500"),
        *("--connections", "8", "--sources", str(go_sources), "--json", str(target)),
        *("--bootstrap-servers", kafka.bootstrap_servers),
        timeout_s=180,
        EVENTSTREAM_CACHE=str(from_environment(HomeSettings, os.environ).cache),
        PATH=os.environ["PATH"],
    )
    assert answer.returncode == 0, answer.stderr
    report = json.loads(target.read_text())
    assert list(report["loads"]) == ["single", "ndjson", "paced"]
    for load in report["loads"].values():
        for (measured,) in load.values():
            assert measured["cpu_us"] > 0
            assert measured["refused"] == measured["unanswered"] == 0
