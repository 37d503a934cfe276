"""Valkey from the wheel: it starts, loses nothing it acknowledged, and hurts nothing around it."""

import itertools
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from eventstream.errors import LocalServerError
from eventstream.local import ports, unprivileged
from eventstream.local import valkey as local_valkey
from eventstream.local.valkey import find_valkey, start_valkey
from eventstream.settings import HomeSettings
from waiting import wait_until

OWNER = """
import pathlib, signal, sys
from eventstream.local.valkey import start_valkey
from eventstream.settings import HomeSettings

print(start_valkey(HomeSettings(home=pathlib.Path(sys.argv[1]))).pid, flush=True)
signal.pause()
"""
LIBRARY = """#!lua name=counting
server.register_function('add', function(keys, args)
  return server.call('INCRBY', keys[1], args[1])
end)
"""


@pytest.fixture
def own_home(tmp_path):
    """A home under a name that upsets careless programs; what runs there is ended."""
    settings = HomeSettings(home=tmp_path / "a home, with späces")
    yield settings
    start_valkey(settings).discard()


def ask(server, *command):
    with redis.Redis.from_url(server.url) as client:
        return client.execute_command(*command)


def test_it_answers_and_keeps_data_and_functions_over_a_stop_and_a_crash(own_home):
    server = start_valkey(own_home)
    ask(server, "FUNCTION", "LOAD", LIBRARY)
    assert ask(server, "FCALL", "add", 1, "total", 2) == 2
    server.stop()
    assert not psutil.pid_exists(server.pid)
    again = server.restart()
    assert again.port == server.port
    assert ask(again, "FCALL", "add", 1, "total", 2) == 4
    again.kill()
    assert not psutil.pid_exists(again.pid)
    assert ask(start_valkey(own_home), "FCALL", "add", 1, "total", 2) == 6


def test_a_kill_amid_writes_loses_nothing_acknowledged(own_home):
    server = start_valkey(own_home)
    acknowledged = []
    many = threading.Event()

    def write():
        with redis.Redis.from_url(server.url) as client:
            for number in itertools.count():
                try:
                    client.set(f"key-{number}", number)
                except redis.ConnectionError:
                    return
                acknowledged.append(f"key-{number}")
                if number == 500:
                    many.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert many.wait(30)
    server.kill()
    writer.join()
    assert ask(server.restart(), "EXISTS", *acknowledged) == len(acknowledged)


def test_each_write_is_on_the_disk_before_it_is_acknowledged(own_home):
    server = start_valkey(own_home)
    found = ask(server, "CONFIG GET", "append*")
    assert (found["appendonly"], found["appendfsync"]) == ("yes", "always")


def test_asking_twice_gives_the_same_server(own_home):
    first = start_valkey(own_home)
    second = start_valkey(own_home)
    found = find_valkey(own_home)
    assert not first.was_running
    assert second.was_running
    assert (first.pid, first.url) == (second.pid, second.url) == (found.pid, found.url)
    first.stop()
    assert find_valkey(own_home) is None


def test_nobody_gets_in_without_the_password_nor_finds_it(own_home):
    server = start_valkey(own_home)
    password = urlsplit(server.url).password
    assert len(password) > 20
    assert password not in repr(server)
    with redis.Redis(port=server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    assert password not in server.log.read_text()
    family = [psutil.Process(server.process.guardian_pid), psutil.Process(server.pid)]
    assert not any(password in " ".join(each.cmdline()) for each in family)
    remembered = own_home.home / "valkey" / "state.json"
    assert stat.S_IMODE(remembered.stat().st_mode) == 0o600


def test_it_listens_on_the_loopback_address_alone_as_a_user_without_rights(own_home):
    server = start_valkey(own_home)
    running = psutil.Process(server.pid)
    assert [each.laddr for each in running.net_connections()] == [("127.0.0.1", server.port)]
    assert running.uids().effective
    assert running.uids().effective == running.uids().saved


def test_a_killed_owner_takes_the_server_along(own_home):
    command = [sys.executable, "-c", OWNER, str(own_home.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        assert psutil.pid_exists(pid)
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid), 15, "the server is gone")


def test_a_taken_port_is_said_in_one_sentence(own_home, tmp_path):
    server = start_valkey(own_home)
    other = HomeSettings(home=tmp_path / "other")
    with pytest.raises(
        LocalServerError, match=r"^Valkey did not start: .*Address already in use; its"
    ):
        start_valkey(other, server.port)
    start_valkey(other).discard()


def test_a_free_port_lost_to_somebody_else_costs_a_try(own_home, monkeypatch, tmp_path):
    taken = start_valkey(own_home).port
    given = iter([taken, ports.free_port()])
    monkeypatch.setattr(ports, "free_port", lambda: next(given))
    other = start_valkey(HomeSettings(home=tmp_path / "other"))
    assert ask(other, "PING")
    other.discard()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "incr.aof",
            b"*1\r\n$4\r\nPING\r\nnonsense\r\n*1\r\n$4\r\nPING\r\n",
            "Bad file format .*aof",
        ),
        ("base.rdb", b"VALKEY999 of years to come", "Can't handle RDB format version 999"),
    ],
)
def test_data_that_cannot_be_read_is_left_alone_and_said(own_home, name, content, reason):
    server = start_valkey(own_home)
    folder = Path(ask(server, "CONFIG GET", "dir")["dir"])
    server.stop()
    (written,) = folder.glob(f"appendonlydir/*.{name}")
    ours = written.read_bytes()
    written.write_bytes(content)
    with pytest.raises(LocalServerError, match=rf"^Valkey did not start: {reason}; its log is"):
        start_valkey(own_home)
    assert written.read_bytes() == content
    written.write_bytes(ours)


def test_a_lost_password_is_made_anew_and_the_data_kept(own_home):
    server = start_valkey(own_home)
    ask(server, "SET", "kept", "1")
    server.stop()
    (own_home.home / "valkey" / "state.json").unlink()
    again = start_valkey(own_home)
    assert again.url != server.url
    assert ask(again, "GET", "kept") == b"1"


def test_a_full_disk_is_said_before_anything_starts(own_home, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(local_valkey.VALKEY, "min_free_bytes", 2**62, raising=False)
        with pytest.raises(LocalServerError, match=r"is full: .* and Valkey needs"):
            start_valkey(own_home)


def test_a_missing_wheel_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(local_valkey, "_PACKAGE", "no_such_wheel")
    with pytest.raises(LocalServerError, match=r"install eventstream\[local\]"):
        start_valkey(HomeSettings(home=tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's folders are out of reach")
def test_a_program_out_of_reach_is_copied_to_where_it_can_run(own_home, monkeypatch):
    monkeypatch.setattr(local_valkey, "can_reach", lambda *_: False)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        reachable = Path(name)
        reachable.chmod(0o755)
        monkeypatch.setattr(unprivileged, "reachable_folder", lambda: reachable)
        server = start_valkey(own_home)
        (copy,) = reachable.glob("valkey-*")
        assert Path(psutil.Process(server.pid).exe()).is_relative_to(copy)
        server.discard()


def test_one_server_for_all_and_one_of_a_test_s_own(valkey, own_valkey):
    assert valkey.url != own_valkey.url
    ask(own_valkey, "SET", "key", "1")
    own_valkey.kill()
    assert ask(own_valkey.restart(), "GET", "key") == b"1"
    assert ask(valkey, "PING")
