"""What a run under too much load comes to, and that it really is one."""

import pytest

from eventstream.bench import overload
from eventstream.bench.latency import Latency
from eventstream.bench.overload import OverloadReport, run_overload
from eventstream.bench.quotas import quota_request
from eventstream.settings import KafkaSettings


def report(**fields):
    return OverloadReport(
        **{
            "best_per_second": 4000.0,
            "offered_per_second": 16_000.0,
            "goodput_per_second": 3800.0,
            "refused": {"503 overloaded, Retry-After 1": 12_000},
            "unanswered": 0,
            "publish": Latency(400.0, 500.0, 510.0, 520.0),
            "busy": 0.5,
            "rss_mb": [90.0, 95.0, 99.0, 100.0, 101.0, 99.0, 98.0, 97.0, 96.0],
            **fields,
        }
    )


def test_what_was_offered_and_done_is_told_as_shares_of_the_best():
    assert report().offered == 4.0
    assert report().goodput == 0.95


def test_growth_is_that_of_the_last_third_over_the_first():
    assert report(rss_mb=[100.0] * 6 + [150.0] * 3).growth == 1.5
    assert report(rss_mb=[100.0]).growth == 1.0


def test_a_request_without_an_answer_or_a_refusal_without_a_time_is_not_sound():
    assert report().sound
    assert not report(unanswered=1).sound
    assert not report(refused={"503 overloaded": 1}).sound


def test_the_request_for_a_quota_is_as_the_protocol_has_it():
    size, entities = 4, b"\0\0\0\1\0\0\0\1\0\x09client-id\0\1c\0\0\0\1\0\x12producer_byte_rate"
    head = b"\0\x31\0\0\0\0\0\1\0\5bench"
    for bytes_per_s, written in ((1.0, b"\x3f\xf0" + b"\0" * 7), (None, b"\0" * 8 + b"\1")):
        request = quota_request("c", bytes_per_s)
        assert request[size:] == head + entities + written + b"\0"
        assert int.from_bytes(request[:size], "big") == len(request) - size


@pytest.mark.kafka
def test_more_than_kafka_takes_is_refused_with_a_time_and_nothing_else_is(kafka, monkeypatch):
    monkeypatch.setattr(overload, "BEST_S", 2.0)
    monkeypatch.setattr(overload, "QUOTA_WINDOW_S", 1.0)
    found = run_overload(
        KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
        seconds=4,
        times=2,
        connections=600,
        quota_bytes=1_000_000,
        max_in_flight=200,
    )
    assert found.sound
    assert found.goodput_per_second > 0
    assert sum(found.refused.values()) > 0
    assert all(said.startswith("503 overloaded, Retry-After ") for said in found.refused)
    assert len(found.rss_mb) >= 4
