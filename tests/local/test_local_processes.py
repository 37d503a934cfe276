"""A server and its guardian: no death leaves an orphan, and no more dies than should.

The server here is a small Python program: what is shown is the guardian's doing, whoever it guards.
"""

import json
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from eventstream.local import process
from eventstream.local.process import Owner, ServerProcess
from waiting import wait_until

SERVER = [sys.executable, "-c", "print('up', flush=True); import signal; signal.pause()"]
OWNER = """
import json, os, pathlib, signal, sys
from eventstream.local import process

folder = pathlib.Path(sys.argv[1])
server = process.start(
    json.loads(sys.argv[2]), folder, folder / "console", process.Owner.of(os.getpid()), os.environ
)
if sys.argv[3] == "detach":
    server.detach()
print(server.pid, server.started, server.guardian_pid, flush=True)
if sys.argv[3] != "detach":
    signal.pause()
"""
SOON_S = 10


@pytest.fixture
def start(tmp_path):
    started = []

    def start(command=SERVER):
        owner = Owner.of(os.getpid())
        server = process.start(command, tmp_path, tmp_path / "console", owner, os.environ)
        started.append(server)
        return server

    yield start
    for server in started:
        server.signal(signal.SIGKILL)
    process.wait_ended(started, SOON_S)


@pytest.fixture
def owner(tmp_path):
    """Start a server from a process that can be killed; give that process and the server."""
    owners = []

    def owner(then="wait"):
        command = [sys.executable, "-c", OWNER, str(tmp_path), json.dumps(SERVER), then]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        owners.append(running)
        pid, started, guardian_pid = running.stdout.readline().split()
        wait_until(lambda: console(tmp_path) == "up\n", SOON_S, "the server is up")
        return running, ServerProcess(int(pid), float(started), int(guardian_pid))

    yield owner
    for running in owners:
        running.kill()
        running.wait()
        running.stdout.close()


def console(folder):
    path = folder / "console"
    return path.read_text() if path.exists() else ""


def has_ended(server):
    return lambda: server.running is None


def test_a_server_ends_with_its_owner_s_crash(owner):
    running, server = owner()
    running.kill()
    wait_until(has_ended(server), SOON_S, "the server is gone")


def test_a_paused_server_ends_with_its_owner(owner):
    running, server = owner()
    server.signal(signal.SIGSTOP)
    running.kill()
    wait_until(has_ended(server), SOON_S, "the server is gone")


def test_a_server_outlives_the_thread_that_started_it(start, tmp_path):
    started = []
    thread = threading.Thread(target=lambda: started.append(start()))
    thread.start()
    thread.join()
    wait_until(lambda: console(tmp_path) == "up\n", SOON_S, "the server is up")
    assert started[0].running is not None


def test_a_detached_server_outlives_its_owner(owner):
    running, server = owner(then="detach")
    assert running.wait(SOON_S) == 0
    guardian = psutil.Process(server.guardian_pid)
    assert guardian.status() != psutil.STATUS_ZOMBIE
    with pytest.raises(psutil.TimeoutExpired):
        guardian.wait(0.6)
    assert server.running is not None
    server.signal(signal.SIGKILL)
    guardian.wait(SOON_S)


def test_a_guardian_s_crash_takes_the_server_along(start, tmp_path):
    server = start()
    wait_until(lambda: console(tmp_path) == "up\n", SOON_S, "the server is up")
    os.kill(server.guardian_pid, signal.SIGKILL)
    wait_until(has_ended(server), SOON_S, "the server is gone")


def test_a_guardian_asked_to_stop_stops_the_server(start, tmp_path):
    server = start()
    wait_until(lambda: console(tmp_path) == "up\n", SOON_S, "the server is up")
    os.kill(server.guardian_pid, signal.SIGTERM)
    assert process.wait_ended([server], SOON_S) == []
    assert console(tmp_path) == "up\nThe process has ended: killed by signal 15.\n"


def test_a_program_that_is_not_there_says_so(start, tmp_path):
    server = start(["/nowhere/java"])
    wait_until(lambda: "ended" in console(tmp_path), SOON_S, "the guardian has spoken")
    assert process.wait_ended([server], SOON_S) == []
    assert console(tmp_path) == (
        "/nowhere/java cannot be started: No such file or directory\n"
        "The process has ended: exit code 127.\n"
    )


def test_no_zombie_is_left(start, tmp_path):
    server = start()
    wait_until(lambda: console(tmp_path) == "up\n", SOON_S, "the server is up")
    server.signal(signal.SIGKILL)
    assert process.wait_ended([server], SOON_S) == []
    assert not psutil.pid_exists(server.guardian_pid)
    assert not psutil.pid_exists(server.pid)
