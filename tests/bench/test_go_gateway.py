"""The gateway in Go does what it is measured for: keys, validation, acknowledgements, metrics."""

import json
import os
import signal
import subprocess

import pytest
from confluent_kafka import Producer

from eventstream.bench.formats import first_answer
from eventstream.bench.go_peer import built_peer, go_gateway
from eventstream.bench.load import Load
from eventstream.errors import LocalServerError
from eventstream.settings import HomeSettings, KafkaSettings
from gateway.http_bytes import Client, body, exchange, request, status
from records import read_records

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.xdist_group("go"),  # one process waits for the program to be built, not all
]


@pytest.fixture
def publish(go_peer):
    def publish(topic, content, content_type="application/json", **fields):
        fields.setdefault("Authorization", f"Bearer {go_peer.api_key}")
        target = f"/publish/{topic}"
        return exchange(go_peer.address, request(target, content, content_type, **fields))

    return publish


def test_an_answered_event_is_in_the_log_with_its_key(publish, kafka, topic):
    answer = publish(topic, b'{"n": 1}', Event_Key="alice")
    assert status(answer) == 200
    assert json.loads(body(answer)) == {"topic": topic, "partition": 0, "offset": 0}
    (record,) = read_records(kafka, topic)
    assert (record.key(), record.value(), record.offset()) == (b"alice", b'{"n": 1}', 0)


def test_keys_go_where_our_clients_put_them(publish, kafka, make_topic):
    topic = make_topic(6)
    options = {"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"}
    producer = Producer(options)
    placed = {}
    for number in range(12):
        key = f"key-{number}"
        placed[key] = json.loads(body(publish(topic, b"1", Event_Key=key)))["partition"]
        producer.produce(topic, b"1", key)
    producer.flush(10)
    records = read_records(kafka, topic, 6)
    assert len(records) == 24
    assert all(placed[record.key().decode()] == record.partition() for record in records)


@pytest.mark.parametrize("shown", ["Bearer another", "Bearer ", "Basic a key of the tests", ""])
def test_a_caller_without_a_known_key_writes_nothing(publish, kafka, topic, shown):
    assert status(publish(topic, b"{}", Authorization=shown)) == 401
    assert read_records(kafka, topic) == []


def test_what_is_not_json_is_not_written(publish, kafka, topic):
    assert status(publish(topic, b'{"n": ')) == 400
    assert read_records(kafka, topic) == []


def test_lines_are_answered_by_partition(publish, kafka, topic):
    lines = b'{"n": 0}\n\n{"n": 1}\r\n{"n": 2}'
    answer = publish(topic, lines, "application/x-ndjson", Event_Key="alice")
    assert status(answer) == 200
    spans = [{"partition": 0, "published": 3, "first_offset": 0, "last_offset": 2}]
    assert json.loads(body(answer)) == {"topic": topic, "published": 3, "partitions": spans}
    written = [(record.key(), record.value()) for record in read_records(kafka, topic)]
    assert written == [(b"alice", b'{"n": %d}' % n) for n in range(3)]


def test_lines_that_are_not_json_are_named_and_the_others_written(publish, kafka, topic):
    answer = publish(topic, b'{"n": 0}\n{"n"\n{"n": 2}\n', "application/x-ndjson")
    assert status(answer) == 207
    found = json.loads(body(answer))
    assert (found["published"], found["failed"], found["invalid_lines"]) == (2, 1, [2])
    assert len(read_records(kafka, topic)) == 2


def test_a_request_with_no_event_to_publish_is_refused(publish, topic):
    assert status(publish(topic, b"\n\n", "application/x-ndjson")) == 400
    assert status(publish(topic, b"{\n[\n", "application/x-ndjson")) == 400
    assert status(publish(topic, b"x", "text/plain")) == 415


def test_publications_do_not_mix_on_one_connection(go_peer, kafka, topic):
    caller = {"Authorization": f"Bearer {go_peer.api_key}"}
    with Client(go_peer.address) as client:
        for number in range(50):
            content = b'{"n": %d, "text": "%b"}' % (number, b"x" * (number % 7 * 40))
            client.send(request(f"/publish/{topic}", content, Event_Key=f"key-{number}", **caller))
            assert json.loads(body(client.answer()))["offset"] == number
    for number, record in enumerate(read_records(kafka, topic)):
        assert record.key() == b"key-%d" % number
        assert json.loads(record.value()) == {"n": number, "text": "x" * (number % 7 * 40)}


def test_it_counts_what_it_answered(publish, go_peer, topic):
    assert status(publish(topic, b"{}")) == 200
    metrics = exchange(go_peer.address, request("/metrics", method="GET", Connection="close"))
    assert b'gateway_requests_total{status="200"}' in metrics
    assert b"gateway_publish_seconds_bucket" in metrics


def test_a_stop_is_clean(go_program, kafka):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    with go_gateway(go_program, settings) as gateway:
        assert status(exchange(("127.0.0.1", gateway.port), request("/healthz", method="GET")))
        os.kill(gateway.pid, signal.SIGTERM)
        _, ended = os.waitpid(gateway.pid, 0)
        assert os.waitstatus_to_exitcode(ended) == 0


def test_a_format_it_does_not_take_is_told_from_one_it_takes(go_peer, topic):
    running, api_key = go_peer.running, go_peer.api_key
    load = Load(port=0, topic=topic, connections=1, seconds=1, api_key=api_key)
    assert first_answer(running, load) is None
    other = Load(port=0, topic=topic, connections=1, seconds=1, api_key=api_key, form="v2-json")
    assert first_answer(running, other) == "answered 404: 404 page not found"


def test_one_that_cannot_start_says_why(go_program, kafka, tmp_path):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    digests = tmp_path / "digests"
    digests.write_text("not a digest\n")
    with (
        pytest.raises(LocalServerError, match="every line is a SHA-256"),
        go_gateway(go_program, settings, f"-keys={digests}"),
    ):
        pass


def test_sources_that_do_not_build_say_why(go, tmp_path):
    sources = tmp_path / "go"
    sources.mkdir()
    (sources / "go.mod").write_text("module broken\n")
    (sources / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    home = HomeSettings(home=tmp_path, cache=tmp_path)

    class Heard(list):
        say = list.append

    heard = Heard()
    with pytest.raises(LocalServerError, match="undefined: nothing"):
        built_peer(go, home, sources, heard)
    assert heard == ["Building the gateway in Go, once ..."]
    assert not list((tmp_path / "peers").iterdir())


def test_the_peer_is_formatted_and_vetted(go, go_sources):
    formatted = subprocess.run(
        [go.removesuffix("go") + "gofmt", "-l", "."],
        cwd=go_sources,
        capture_output=True,
        check=True,
    )
    assert formatted.stdout == b""
    subprocess.run([go, "vet", "./..."], cwd=go_sources, check=True, timeout=120)
