"""`eventstream publish` as a user runs it."""

import contextlib
import json
import signal
import subprocess

from program import PROGRAM
from records import count_records, read_log
from waiting import wait_until

ENOUGH = 30_000


def test_a_file_is_published_in_order_with_its_keys(run, kafka, topic, tmp_path):
    orders = tmp_path / "orders.ndjson"
    orders.write_text("".join(f'{{"id":"u{n % 3}","n":{n}}}\n' for n in range(5000)))
    result = run("publish", topic, str(orders), "--key-from=/id", *where(kafka))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("5,000 of 5,000 events acknowledged")
    assert result.stderr == ""
    records = read_log(kafka, topic)
    assert [json.loads(value)["n"] for _, value in records] == list(range(5000))
    assert all(key.decode() == json.loads(value)["id"] for key, value in records)


def test_standard_input_is_published(run, kafka, topic):
    result = run("publish", topic, "-", "--key=k", *where(kafka), stdin=b"one\ntwo\n")
    assert result.returncode == 0, result.stderr
    assert read_log(kafka, topic) == [(b"k", b"one"), (b"k", b"two")]


def test_generated_events_and_a_report_in_json(run, kafka, make_topic):
    topic = make_topic(3)
    result = run(
        "publish", topic, "--count=20000", "--size=50", "--keys=10", "--json", *where(kafka)
    )
    report = json.loads(result.stdout)
    assert (report["sent"], report["acknowledged"], report["failed"]) == (20000, 20000, 0)
    assert 0 < report["p50_ms"] <= report["p99_ms"] <= report["p999_ms"]
    records = read_log(kafka, topic, 3)
    assert len(records) == 20000
    assert {key for key, _ in records} == {b"key-%d" % n for n in range(10)}


def test_several_processes_generate_keys_of_their_own(run, kafka, make_topic):
    topic = make_topic(3)
    options = ("--count=20001", "--keys=5", "--processes=3", "--json")
    result = run("publish", topic, *options, *where(kafka))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["sent"], report["acknowledged"], report["failed"]) == (20001, 20001, 0)
    assert 0 < report["p50_ms"] <= report["p99_ms"] <= report["p999_ms"]
    records = read_log(kafka, topic, 3)
    assert len(records) == 20001
    assert {key for key, _ in records} == {b"key-%d" % n for n in range(5)}


def test_more_processes_than_keys_are_refused(run, kafka, topic):
    options = ("--count=10", "--keys=2", "--processes=3")
    result = run("publish", topic, *options, *where(kafka))
    assert result.returncode == 1
    assert "--processes is 3, but there are only 2 keys" in result.stderr
    assert read_log(kafka, topic) == []


def test_ctrl_c_stops_several_processes_and_reports_them_together(kafka, make_topic):
    topic = make_topic(3)
    options = ("--count=1000000000", "--processes=2", "--json")
    with subprocess.Popen(
        [PROGRAM, "publish", topic, *options, *where(kafka)], stdout=subprocess.PIPE
    ) as process:
        wait_until(lambda: count_records(kafka, topic, 3), 30, "events come")
        process.send_signal(signal.SIGINT)
        report = json.loads(process.stdout.read())
        assert process.wait(60) == 1
    assert report["stopped"] == "interrupted"
    assert report["sent"] == report["acknowledged"] == count_records(kafka, topic, 3)


def test_an_unusable_line_ends_it_with_exit_1_and_keeps_what_came_before(run, kafka, topic):
    stdin = b'{"id":1}\n{"id":2}\nnope\n{"id":3}\n'
    result = run("publish", topic, "-", "--key-from=/id", *where(kafka), stdin=stdin)
    assert result.returncode == 1
    assert "Line 3 is not JSON" in result.stderr
    assert [key for key, _ in read_log(kafka, topic)] == [b"1", b"2"]


def test_events_the_topic_refuses_are_counted_and_exit_is_1(run, kafka, make_topic):
    topic = make_topic(config={"max.message.bytes": "1000"})
    result = run("publish", topic, "-", *where(kafka), stdin=b"x" * 5000)
    assert result.returncode == 1
    assert "1 failed: " in result.stderr
    assert "larger than the topic allows" in result.stderr


def test_a_missing_topic_is_one_sentence_and_nothing_is_sent(run, kafka):
    result = run("publish", "no-such-topic", "--count=10", *where(kafka))
    assert result.returncode == 1
    assert result.stderr == (
        "Topic 'no-such-topic' does not exist; create it, or check the name.\n"
    )


def test_no_kafka_is_one_sentence(run):
    result = run("publish", "t", "--count=10", "--bootstrap-servers=127.0.0.1:1")
    assert result.returncode == 1
    assert result.stderr.startswith("Kafka: Kafka is not available now")
    assert result.stderr.count("\n") == 1


def test_ctrl_c_waits_for_what_was_sent_and_reports(kafka, topic):
    command = [PROGRAM, "publish", topic, "-", "--json", *where(kafka)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        with contextlib.suppress(BrokenPipeError), process.stdin as lines:
            for n in range(10_000_000):
                lines.write(b"%d\n" % n)
                if n == ENOUGH:
                    lines.flush()
                    process.send_signal(signal.SIGINT)
        report = json.loads(process.stdout.read())
        assert process.wait(60) == 1
    assert report["stopped"] == "interrupted"
    assert report["sent"] == report["acknowledged"] == len(read_log(kafka, topic))


def where(kafka):
    return [f"--bootstrap-servers={kafka.bootstrap_servers}"]
