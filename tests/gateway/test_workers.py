"""A gateway of several processes on one address."""

import itertools
import signal

import psutil
import pytest
from gateways import running_gateway
from http_bytes import exchange, request, status

from records import read_log
from waiting import wait_until

SOON_S = 30
CONNECTIONS = 12


@pytest.fixture
def gateway(kafka, tmp_path):
    with running_gateway(kafka, tmp_path, "--workers=2") as running:
        wait_until(lambda: len(serving(running)) == 2, SOON_S, "both processes serve")
        yield running


def serving(gateway):
    """Return the processes that have started: those that are connected to Kafka."""
    children = psutil.Process(gateway.process.pid).children()
    return {child.pid for child in children if is_connected(child)}


def is_connected(child):
    try:
        return any(one.status == psutil.CONN_ESTABLISHED for one in child.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False


def publish(gateway, topic, number):
    answer = exchange(gateway.address, request(f"/publish/{topic}", b"%d" % number))
    assert status(answer) == 200, answer


def test_a_killed_process_is_replaced_while_the_others_serve(gateway, kafka, make_topic):
    topic = make_topic(1)
    for number in range(CONNECTIONS):
        publish(gateway, topic, number)
    killed = min(serving(gateway))
    psutil.Process(killed).kill()
    for number in range(CONNECTIONS, 2 * CONNECTIONS):
        publish(gateway, topic, number)
    wait_until(lambda: len(serving(gateway) - {killed}) == 2, SOON_S, "another takes its place")
    assert "process ended; another one takes its place" in gateway.log.read_text()
    for number in range(2 * CONNECTIONS, 3 * CONNECTIONS):
        publish(gateway, topic, number)
    assert gateway.stop() == 0
    written = sorted(int(value) for _, value in read_log(kafka, topic, 1))
    assert written == list(range(3 * CONNECTIONS))


def test_processes_stop_by_themselves_when_their_supervisor_is_killed(gateway):
    children = [psutil.Process(pid) for pid in serving(gateway)]
    gateway.process.kill()
    _, alive = psutil.wait_procs(children, timeout=SOON_S)
    assert not alive


def test_a_restart_answers_every_request(gateway, kafka, make_topic):
    topic = make_topic(1)
    old = serving(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    for number in itertools.count():
        publish(gateway, topic, number)
        if "all processes are restarted" in gateway.log.read_text():
            break
    assert not serving(gateway) & old
    assert gateway.stop() == 0
    written = sorted(int(value) for _, value in read_log(kafka, topic, 1))
    assert written == list(range(number + 1))
