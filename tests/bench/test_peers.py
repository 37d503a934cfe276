"""The benchmark beside Confluent's Parallel Consumer runs, or says why it cannot."""

import json
import os
from pathlib import Path

import pytest

from eventstream.settings import HomeSettings, from_environment

SOURCES = Path(__file__).parents[2] / "bench" / "peers" / "java"
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def test_without_the_peers_source_it_says_where_that_is(run, tmp_path):
    answer = run("bench", "peers", "--sources", str(tmp_path))
    assert answer.returncode == 1
    assert answer.stderr == (
        f"There is no {tmp_path}/ParallelConsumerPeer.java: run this in a clone of the repository,"
        " or name its bench/peers/java with --sources.\n"
    )


def test_without_jars_and_network_it_says_what_is_missing(run, tmp_path):
    cache = str(tmp_path / "cache")
    answer = run("bench", "peers", "--sources", str(SOURCES), "--cache", cache, **NO_NETWORK)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith(
        "The jars of the Java compiler are not all on this machine and could not be downloaded"
    )


@pytest.mark.slow
@pytest.mark.kafka
def test_both_handle_every_event_of_the_topic(run, kafka, tmp_path):
    target = tmp_path / "peers.json"
    answer = run(
        *("bench", "peers", "--count", "5000", "--rounds", "1", "--json", str(target)),
        *("--sources", str(SOURCES), "--bootstrap-servers", kafka.bootstrap_servers),
        EVENTSTREAM_CACHE=str(from_environment(HomeSettings, os.environ).cache),
    )
    assert answer.returncode == 0, answer.stderr
    assert "no-op handlers by key over Parallel Consumer's" in answer.stdout
    report = json.loads(target.read_text())
    assert report["count"] == 5000
    assert all(rate > 0 for each in ("ours", "by_key", "unordered") for rate in report[each])
