from hypothesis import given
from hypothesis import strategies as st

from eventstream.local.config import Node, new_id, parse_properties, server_properties
from eventstream.local.ports import choose


def properties(brokers):
    nodes = choose(brokers, 9092)
    return parse_properties(server_properties(nodes[-1], nodes))


def test_one_broker_replicates_nothing():
    one = properties(1)
    assert one["listeners"] == "CLIENTS://127.0.0.1:9092,CONTROLLERS://127.0.0.1:19092"
    assert one["controller.quorum.voters"] == "1@127.0.0.1:19092"
    assert one["default.replication.factor"] == "1"
    assert one["min.insync.replicas"] == "1"
    assert one["auto.create.topics.enable"] == "false"
    assert one["group.initial.rebalance.delay.ms"] == "0"


def test_three_brokers_survive_the_loss_of_one():
    three = properties(3)
    voters = "1@127.0.0.1:19092,2@127.0.0.1:19093,3@127.0.0.1:19094"
    assert three["controller.quorum.voters"] == voters
    assert three["node.id"] == "3"
    for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        assert three[f"{topic}.replication.factor"] == "3"
    for prefix in ("", "transaction.state.log.", "share.coordinator.state.topic."):
        name = f"{prefix}min.isr" if prefix else "min.insync.replicas"
        assert three[name] == "2"


@given(brokers=st.integers(1, 9), first_port=st.integers(1024, 65535 - 8))
def test_no_two_listeners_share_a_port(brokers, first_port):
    nodes = choose(brokers, first_port)
    ports = [port for node in nodes for port in (node.port, node.controller_port)]
    assert len(set(ports)) == 2 * brokers
    assert all(0 < port < 65536 for port in ports)
    assert [node.port for node in nodes] == list(range(first_port, first_port + brokers))


def test_free_ports_are_free_and_different():
    nodes = choose(9, 0)
    assert [node.node for node in nodes] == list(range(1, 10))
    assert len({port for node in nodes for port in node[1:]}) == 18


def test_nothing_in_a_broker_s_settings_depends_on_where_its_folder_is():
    assert "/" not in server_properties(Node(1, 1, 2), [Node(1, 1, 2)]).replace("://", "")


@given(st.data())
def test_an_id_is_as_kafka_writes_them(data):
    del data
    text = new_id()
    assert len(text) == 22
    assert not text.startswith("-")
