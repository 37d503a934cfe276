import json
import os
from pathlib import Path

import msgspec
import pytest

from eventstream.errors import KafkaUnavailable, LocalServerError
from eventstream.local import config, readiness, state
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings

pytestmark = pytest.mark.kafka


def admin(kafka):
    return Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))


def test_a_broker_keeps_its_data_over_a_kill_and_a_stop_until_it_is_wiped(local_kafka):
    kafka = local_kafka()
    assert kafka.start()
    admin(kafka).create_topic("kept", partitions=3)

    assert kafka.kill() == [1]
    assert [(broker.state, broker.pid) for broker in kafka.status()] == [("dead", None)]
    assert kafka.start()
    assert admin(kafka).topics() == {"kept": 3}

    assert kafka.stop() == []
    assert not kafka.is_running
    fresh = local_kafka(fresh=True)
    assert fresh.start()
    assert admin(fresh).topics() == {}

    with pytest.raises(LocalServerError, match=r"Kafka runs on the data in .*; stop it"):
        local_kafka(fresh=True).start()


def test_a_broker_starts_from_the_jvm_s_start_up_cache(local_kafka, cache):
    with local_kafka() as kafka:
        (broker,) = kafka.status()
        maps = Path(f"/proc/{broker.pid}/maps").read_text()
    assert str(cache / "jvm" / "kafka-") in maps
    assert (kafka.folder / "1" / "console.log").read_text() == (
        "The process has ended: exit code 143.\n"
    )


def test_a_paused_broker_answers_nothing_until_it_is_resumed(local_kafka):
    with local_kafka() as kafka:
        assert not kafka.start(), "it runs already"
        client = admin(kafka)
        assert client.cluster().brokers == [1]

        assert kafka.pause(1) == [1]
        (broker,) = kafka.status()
        assert broker.state == "paused"
        with pytest.raises(KafkaUnavailable):
            client.topics(timeout_s=0.3)

        assert kafka.resume() == [1]
        (broker,) = kafka.status()
        assert broker.state == "running"
        assert broker.memory_bytes > 50_000_000
        assert broker.data_bytes > 0
        assert client.topics() == {}

        with pytest.raises(LocalServerError, match="There is no broker 2 here; there is 1"):
            kafka.kill(2)

        assert kafka.pause() == [1]
    assert not kafka.is_running, "a paused broker stops too"


def test_a_pid_that_now_belongs_to_another_process_is_noticed(local_kafka):
    kafka = local_kafka()
    kafka.start()
    kafka.kill()
    path = kafka.folder / state.STATE_NAME
    remembered = json.loads(path.read_bytes())
    remembered["brokers"][0]["process"]["pid"] = os.getpid()
    path.write_text(json.dumps(remembered))

    assert not kafka.is_running
    assert kafka.stop() == []
    assert kafka.start()
    assert kafka.is_running


def test_data_whose_state_file_is_lost_is_taken_up_again(local_kafka):
    kafka = local_kafka()
    with kafka:
        admin(kafka).create_topic("kept")
    (kafka.folder / state.STATE_NAME).unlink()
    with kafka:
        assert admin(kafka).topics() == {"kept": 1}


def test_a_broker_that_ends_while_it_starts_is_quoted(local_kafka):
    kafka = local_kafka()
    kafka.start()
    kafka.stop()
    (kafka.folder / "1" / "data" / "__cluster_metadata-0" / "quorum-state").write_text("{broken")

    with pytest.raises(LocalServerError) as raised:
        kafka.start()
    assert str(raised.value).startswith("Kafka's broker 1 ended while it started: ")
    assert "Unexpected character ('b'" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not kafka.is_running


def test_an_answer_of_another_cluster_on_the_same_port_is_not_taken_for_ours(local_kafka, tmp_path):
    with local_kafka() as kafka:
        theirs = state.read(kafka.folder)
        ours = theirs.with_broker(msgspec.structs.replace(theirs.broker(1), process=None))
        ours = msgspec.structs.replace(ours, cluster_id=config.new_id())
        with pytest.raises(LocalServerError, match="broker 1 ended while it started"):
            readiness.wait(tmp_path, ours, [1])
