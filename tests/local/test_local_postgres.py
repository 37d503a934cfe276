"""PostgreSQL from the wheel: it starts, keeps what it was told, and hurts nothing around it."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from eventstream.errors import LocalServerError
from eventstream.local import postgres_install, unprivileged
from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings
from waiting import wait_until

OWNER = """
import pathlib, signal, sys
from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings

print(start_postgres(HomeSettings(home=pathlib.Path(sys.argv[1]))).pid, flush=True)
signal.pause()
"""


@pytest.fixture
def own_home(tmp_path):
    """A home under a name that upsets careless programs; what runs there is ended."""
    settings = HomeSettings(home=tmp_path / "a home, with späces")
    yield settings
    start_postgres(settings).discard()


def ask(server, statement):
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement).fetchone()


def test_it_answers_and_keeps_its_data_over_a_stop_and_a_crash(own_home):
    server = start_postgres(own_home)
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    server.stop()
    assert not psutil.pid_exists(server.pid)
    again = start_postgres(own_home, server.port)
    assert again.port == server.port
    assert ask(again, "SELECT one FROM kept") == (1,)
    again.kill()
    assert not psutil.pid_exists(again.pid)
    assert ask(start_postgres(own_home), "SELECT one FROM kept") == (1,)


def test_asking_twice_gives_the_same_server(own_home):
    first = start_postgres(own_home)
    second = start_postgres(own_home)
    assert not first.was_running
    assert second.was_running
    assert (first.pid, first.dsn) == (second.pid, second.dsn)


def test_nobody_gets_in_without_the_password_nor_finds_it_in_a_repr(own_home):
    server = start_postgres(own_home)
    password = urlsplit(server.dsn).password
    assert len(password) > 20
    assert password not in repr(server)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.dsn.replace(password, "wrong"))
    (remembered,) = (own_home.home / "postgres").glob("state.json")
    assert stat.S_IMODE(remembered.stat().st_mode) == 0o600


def test_it_is_durable_and_runs_as_a_user_without_rights(own_home):
    server = start_postgres(own_home)
    assert ask(server, "SELECT current_setting('fsync'), current_setting('full_page_writes')") == (
        "on",
        "on",
    )
    uids = psutil.Process(server.pid).uids()
    assert uids.effective
    assert uids.effective == uids.saved
    assert psutil.Process(server.pid).gids().effective or os.geteuid()


def test_no_parent_folder_changes_and_no_user_is_added(own_home, tmp_path):
    def looks():
        users = Path("/etc/passwd").read_bytes()
        return users, [each.stat().st_mode for each in tmp_path.parents]

    before = looks()
    start_postgres(own_home)
    assert looks() == before


def test_a_killed_owner_takes_the_server_along(own_home):
    command = [sys.executable, "-c", OWNER, str(own_home.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        assert psutil.pid_exists(pid)
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid), 15, "the server is gone")


def test_a_taken_port_is_said_in_one_sentence(own_home, tmp_path):
    server = start_postgres(own_home)
    other = HomeSettings(home=tmp_path / "other")
    with pytest.raises(LocalServerError, match=r"did not start: .*Address already in use"):
        start_postgres(other, server.port)
    start_postgres(other).discard()


def test_data_of_another_version_is_left_alone(own_home):
    server = start_postgres(own_home)
    server.stop()
    data = ask(start_postgres(own_home), "SHOW data_directory")[0]
    start_postgres(own_home).stop()
    version = Path(data, "PG_VERSION")
    ours = version.read_text()
    version.write_text("9\n")
    with pytest.raises(LocalServerError, match=r"was written by PostgreSQL 9, and this is \d+"):
        start_postgres(own_home)
    version.write_text(ours)


def test_a_lost_password_is_said(own_home):
    server = start_postgres(own_home)
    server.stop()
    remembered = own_home.home / "postgres" / "state.json"
    content = remembered.read_bytes()
    remembered.unlink()
    with pytest.raises(LocalServerError, match="its password is not"):
        start_postgres(own_home)
    remembered.write_bytes(content)


def test_a_folder_is_reachable_when_all_on_the_way_may_be_entered(tmp_path):
    user = unprivileged.Account("nobody", 65534, 65534)
    folder = tmp_path / "closed" / "open"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    assert not unprivileged.can_reach(folder, user)
    assert unprivileged.can_reach(folder, None)
    assert unprivileged.can_reach(Path("/usr/bin"), user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's folders are out of reach")
def test_programs_out_of_reach_are_copied_to_where_they_can_run(own_home, monkeypatch):
    monkeypatch.setattr(postgres_install, "can_reach", lambda *_: False)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        reachable = Path(name)
        reachable.chmod(0o755)
        monkeypatch.setattr(unprivileged, "reachable_folder", lambda: reachable)
        server = start_postgres(own_home)
        (copy,) = reachable.glob("postgres-*")
        assert Path(psutil.Process(server.pid).exe()).is_relative_to(copy)
        assert ask(server, "SELECT 1") == (1,)
        server.stop()
        assert start_postgres(own_home).port
        assert list(reachable.glob("postgres-*")) == [copy]
        start_postgres(own_home).discard()


def test_every_test_gets_a_database_of_its_own(postgres, postgres_database):
    with psycopg.connect(postgres_database) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
    assert name.startswith("test_")
    assert ask(postgres, "SELECT current_database()") == ("postgres",)
