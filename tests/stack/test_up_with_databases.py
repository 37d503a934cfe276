"""Databases beside the stack: the worker reaches them, the user too, and they stop with it."""

import json
import signal
import socket
import urllib.request
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from eventstream.settings import HomeSettings
from waiting import wait_until

HANDLERS = """
import os
import psycopg
import redis
from eventstream import App

app = App()

@app.on("events")
def handle(event):
    with redis.Redis.from_url(os.environ["EVENTSTREAM_REDIS_URL"]) as client:
        client.incr("handled")
    with psycopg.connect(os.environ["EVENTSTREAM_POSTGRES_DSN"]) as connection:
        connection.execute("CREATE TABLE handled AS SELECT %s::int AS number", [event.json()])
"""


@pytest.fixture
def up(run, tmp_path):
    """Start a stack in the background; return the gateway's address and the stack's facts."""
    (tmp_path / "handlers.py").write_text(HANDLERS)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    places = {
        "PYTHONPATH": str(tmp_path),
        "EVENTSTREAM_CACHE": str(HomeSettings().cache),
        "EVENTSTREAM_BROKER_PORT": "0",
    }

    def up(databases):
        command = ["up", "handlers:app", f"--with={databases}", f"--port={port}", "--detach"]
        started = run(*command, timeout_s=120, **places)
        assert started.returncode == 0, started.stderr
        return f"http://127.0.0.1:{port}", json.loads(run("status", "--json").stdout)

    yield up
    run("down", timeout_s=120)


def test_the_worker_and_the_user_reach_them_until_down(run, up, tmp_path):
    gateway, facts = up("postgres,valkey")
    assert [(each["name"], each["state"]) for each in facts["stores"]] == [
        ("postgres", "ready"),
        ("redis", "ready"),
    ]
    urllib.request.urlopen(urllib.request.Request(f"{gateway}/publish", b"7"), timeout=10)
    dsn = run("dsn", "postgres").stdout.strip()
    url = run("dsn", "redis").stdout.strip()
    with psycopg.connect(dsn, autocommit=True) as connection:
        has_come = "SELECT to_regclass('handled') IS NOT NULL"
        wait_until(lambda: connection.execute(has_come).fetchone()[0], 30, "the event is handled")
        assert connection.execute("SELECT number FROM handled").fetchone() == (7,)
    with redis.Redis.from_url(url) as client:
        assert client.get("handled") == b"1"
    shown = run("status").stdout + json.dumps(facts)
    assert f"postgresql://postgres@127.0.0.1:{urlsplit(dsn).port}/postgres" in shown
    files = [path for path in (tmp_path / "home").rglob("*") if path.suffix in {".log", ".json"}]
    others = [path.read_bytes() for path in files if path.name != "state.json"]
    assert len(others) > 5
    shown += b"".join(others).decode(errors="replace")
    assert urlsplit(dsn).password not in shown
    assert urlsplit(url).password not in shown
    assert run("down", timeout_s=120).stdout == "Stopped.\n"
    assert not any(psutil.pid_exists(each["pid"]) for each in facts["stores"])
    gone = run("dsn", "postgres")
    assert gone.returncode == 1
    assert gone.stderr == "No PostgreSQL runs here; start one: eventstream up --with postgres.\n"


def test_one_that_ends_by_itself_ends_the_stack_with_a_sentence(up, tmp_path):
    _, facts = up("redis")
    owner = psutil.Process(facts["pid"])
    psutil.Process(facts["stores"][0]["pid"]).send_signal(signal.SIGKILL)
    owner.wait(60)
    said = (tmp_path / "home" / "up.log").read_text()
    assert "The local redis ended by itself: killed by signal 9; its log is" in said


@pytest.mark.parametrize("command", [("up", "--with", "postgres,mysql"), ("dsn", "mysql")])
def test_an_unknown_database_is_one_sentence(run, command):
    answer = run(*command)
    assert answer.returncode == 1
    assert answer.stderr == "There is no database 'mysql'; choose postgres or redis.\n"
