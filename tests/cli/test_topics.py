"""`eventstream topics` as a user runs it."""

import functools
import json

import pytest


@pytest.fixture
def topics(ask):
    return functools.partial(ask, "topics")


@pytest.fixture
def described(topics):
    return lambda name: json.loads(topics("describe", name, "--json").stdout)


def test_a_topic_is_created_listed_described_and_deleted(topics, described, run, kafka):
    created = topics("create", "crates", "--partitions=3", "--setting=retention.ms=60000")
    assert created.stdout == "Topic 'crates' is there, with 3 partitions.\n"
    assert "crates  3 partitions\n" in topics("list").stdout
    assert json.loads(topics("list", "--json").stdout)["crates"] == 3

    run("publish", "crates", "-", f"--bootstrap-servers={kafka.bootstrap_servers}", stdin=b"a\nb\n")
    found = described("crates")
    assert found["settings"] == {"retention.ms": "60000"}
    assert [one["partition"] for one in found["partitions"]] == [0, 1, 2]
    assert all(one["leader"] == 1 and one["in_sync"] == [1] for one in found["partitions"])
    assert sum(one["end"] - one["oldest"] for one in found["partitions"]) == 2
    assert "retention.ms=60000" in topics("describe", "crates").stdout

    refused = topics("delete", "crates", stdin=b"n\n")
    assert refused.returncode == 1
    assert "with up to 2 events?" in refused.stdout
    assert "crates" in json.loads(topics("list", "--json").stdout)
    assert topics("delete", "crates", "--yes").stdout == "Topic 'crates' is deleted.\n"
    assert "crates" not in json.loads(topics("list", "--json").stdout)


def test_a_topic_that_exists_is_not_created_again(topics, topic):
    result = topics("create", topic, "--partitions=7")
    assert result.returncode == 1
    assert "already exists" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["describe"], ["delete", "--yes"]])
def test_a_missing_topic_is_one_sentence(topics, command):
    result = topics(*command, "no-such-topic")
    assert result.returncode == 1
    assert result.stderr == (
        "Topic 'no-such-topic' does not exist; create it, or check the name.\n"
    )


@pytest.mark.parametrize("setting", ["retention.ms", "=1"])
def test_a_setting_without_a_value_is_one_sentence(topics, setting):
    result = topics("create", "never-made", f"--setting={setting}")
    assert result.returncode == 1
    assert "is not name=value" in result.stderr
    assert "never-made" not in topics("list").stdout


def test_a_setting_that_kafka_does_not_know_makes_no_topic(topics):
    result = topics("create", "never-made", "--setting=no.such.setting=1")
    assert result.returncode == 1
    assert "no.such.setting" in result.stderr
    assert "never-made" not in topics("list").stdout
