"""What keeps a broker from starting: one sentence each, and nothing left behind."""

import os
import socket

import pytest

from eventstream.errors import LocalServerError
from eventstream.local import config, state, storage
from eventstream.local.jars import lock


@pytest.fixture
def stopped(local_kafka):
    """A cluster of one broker with formatted data, and nothing running."""
    kafka = local_kafka()
    storage.prepare(kafka.folder)
    broker = state.Broker(1, 9092, 19092)
    cluster = state.State(config.new_id(), lock().kafka, (broker,))
    storage.format_node(kafka.folder, cluster, broker)
    state.write(kafka.folder, cluster)
    return kafka


def refusal(kafka):
    with pytest.raises(LocalServerError) as raised:
        kafka.start()
    assert not kafka.is_running
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def change_state(cluster, **changes):
    old = state.read(cluster.folder)
    fields = {"cluster_id": old.cluster_id, "kafka": old.kafka, "brokers": old.brokers, **changes}
    state.write(cluster.folder, state.State(**fields))


def test_a_taken_port_is_named_with_who_has_it(local_kafka):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refusal(local_kafka(broker_port=port))
    assert f"Port {port} is taken by " in sentence
    assert f"(pid {os.getpid()})" in sentence


def test_ports_end_somewhere(local_kafka):
    assert "no 3 ports from 65534 on" in refusal(local_kafka(brokers=3, broker_port=65534))


def test_a_home_that_cannot_be_written(home, local_kafka):
    home.home.write_text("a file where a folder should be")
    assert "cannot be written (Not a directory); give another --home" in refusal(local_kafka())


def test_a_full_disk(local_kafka):
    assert "The disk of " in refusal(local_kafka(min_free_bytes=10**18))


def test_another_number_of_brokers(stopped, local_kafka):
    del stopped
    sentence = refusal(local_kafka(brokers=3))
    assert "is of a cluster with 1 broker, not 3: give --brokers 1, or --fresh" in sentence


def test_data_of_another_cluster(stopped):
    change_state(stopped, cluster_id=config.new_id())
    assert "is of another cluster" in refusal(stopped)


def test_data_of_another_node(stopped):
    meta = stopped.folder / "1" / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=2"))
    assert "node 2) than the rest" in refusal(stopped)


@pytest.mark.parametrize("newer", ["4.4.1", "4.10.0", "5.0.0"])
def test_data_of_a_newer_kafka(stopped, newer):
    change_state(stopped, kafka=newer)
    assert f"was written by Kafka {newer}, newer than the {lock().kafka} here" in refusal(stopped)


def test_data_of_too_old_a_kafka(stopped):
    change_state(stopped, kafka="2.8.0")
    assert "was written by Kafka 2.8.0, too old" in refusal(stopped)


def test_data_of_a_kafka_with_zookeeper(stopped):
    meta = stopped.folder / "1" / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("version=1", "version=0"))
    assert "Kafka with ZooKeeper, too old" in refusal(stopped)


def test_a_state_file_that_cannot_be_read_can_be_wiped(stopped, local_kafka):
    (stopped.folder / state.STATE_NAME).write_text("{")
    with pytest.raises(LocalServerError, match="start with --fresh to begin anew"):
        stopped.start()
    assert "The disk of" in refusal(local_kafka(fresh=True, min_free_bytes=10**18))
    assert state.read(stopped.folder) is None


def test_looking_at_and_stopping_what_was_never_started(local_kafka):
    kafka = local_kafka()
    assert not kafka.is_running
    assert kafka.status() == []
    with pytest.raises(LocalServerError, match=r"There is no Kafka in .*; start one"):
        kafka.stop()
