"""The stack in the background: up, status, metrics of all processes, down, and what goes wrong."""

import json
import re
import signal
import socket
import urllib.request

import psutil
import pytest

from eventstream.settings import HomeSettings
from waiting import wait_until


@pytest.fixture
def stack(run, tmp_path):
    """A detached stack with a worker; its facts and its gateway's address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    (tmp_path / "handlers.py").write_text(
        "from eventstream import App\n"
        "app = App()\n"
        "@app.on('events')\n"
        "async def handle(event): pass\n"
    )
    places = {
        "PYTHONPATH": str(tmp_path),
        "EVENTSTREAM_CACHE": str(HomeSettings().cache),
        "EVENTSTREAM_BROKER_PORT": "0",
    }
    started = run("up", "handlers:app", "--detach", f"--port={port}", timeout_s=120, **places)
    assert started.returncode == 0, started.stderr
    facts = json.loads(run("status", "--json").stdout)
    yield facts, f"http://127.0.0.1:{port}"
    run("down", timeout_s=120)


def fetch(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        return answer.read().decode()


def test_up_status_metrics_and_down(run, stack):
    facts, url = stack
    assert [service["name"] for service in facts["services"]] == ["gateway", "worker"]
    for _ in range(3):
        fetch(f"{url}/publish", b"1")
    handled = 'eventstream_worker_events_handled_total{topic="events"} 3.0'
    wait_until(lambda: handled in fetch(f"{url}/metrics"), 30, "one /metrics shows the worker's")
    text = fetch(f"{url}/metrics")
    assert 'eventstream_gateway_events_total{outcome="acknowledged"} 3.0' in text
    lag = r'^eventstream_worker_lag_events{.*topic="events"} 0.0$'
    wait_until(
        lambda: re.search(lag, fetch(f"{url}/metrics"), re.MULTILINE), 30, "the lag is committed"
    )
    again = run("up", "--detach")
    assert again.returncode == 1
    assert "A stack runs already" in again.stderr
    pids = [facts["pid"], *(service["pid"] for service in facts["services"])]
    assert run("down", timeout_s=120).stdout == "Stopped.\n"
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert run("status").returncode == 1


def test_sigkill_of_the_owner_leaves_nothing_behind(stack):
    facts, _ = stack
    everything = psutil.Process(facts["pid"]).children(recursive=True)
    psutil.Process(facts["pid"]).send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(everything, timeout=30)
    assert gone
    assert not alive


def test_a_worker_that_cannot_start_is_one_sentence(run):
    result = run(
        "up",
        "no.such.module:app",
        "--port=0",
        timeout_s=120,
        EVENTSTREAM_CACHE=str(HomeSettings().cache),
        EVENTSTREAM_BROKER_PORT="0",
    )
    assert result.returncode == 1
    assert "There is no module 'no'" in result.stderr
    assert "Traceback" not in result.stderr
