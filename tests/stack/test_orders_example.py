"""What examples/orders/README.md tells, done: a blocked card, a parked key, its replay."""

import contextlib
import json
import os
import socket
import subprocess
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis

from eventstream.settings import HomeSettings
from program import PROGRAM
from waiting import wait_until

ROOT = Path(__file__).parents[2]
SOON_S = 60


class Shop:
    def __init__(self, run, gateway, places):
        self.run = run
        self.gateway = gateway
        self.places = places

    def order(self, customer, number, card):
        body = {"id": number, "customer": customer, "card": card, "cents": 500}
        request = urllib.request.Request(
            f"{self.gateway}/publish/orders",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Event-Key": customer},
        )
        assert urllib.request.urlopen(request, timeout=10).status == 200

    def sql(self, statement):
        with psycopg.connect(
            self.places["EVENTSTREAM_POSTGRES_DSN"], autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def charged(self):
        return self.sql("SELECT order_id, customer FROM charges ORDER BY order_id")

    def counted(self):
        with redis.Redis.from_url(self.places["EVENTSTREAM_REDIS_URL"]) as client:
            return client.hgetall("orders:count"), client.hgetall("orders:cents")

    @contextlib.contextmanager
    def worker(self, name):
        command = [PROGRAM, "worker", f"examples.orders.{name}:app", "--group", name]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **self.places})
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(SOON_S) == 0


@pytest.fixture
def shop(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    places = {
        "EVENTSTREAM_HOME": str(tmp_path / "home"),
        "EVENTSTREAM_CACHE": str(HomeSettings().cache),
        "EVENTSTREAM_BROKER_PORT": "0",
    }
    command = ["up", "--with=postgres,redis", f"--port={port}", "--detach"]
    started = run(*command, timeout_s=120, **places)
    assert started.returncode == 0, started.stderr
    try:
        facts = json.loads(run("status", "--json", **places).stdout)
        places["EVENTSTREAM_BOOTSTRAP_SERVERS"] = facts["kafka"]
        places["EVENTSTREAM_POSTGRES_DSN"] = run("dsn", "postgres", **places).stdout.strip()
        places["EVENTSTREAM_REDIS_URL"] = run("dsn", "redis", **places).stdout.strip()
        yield Shop(run, f"http://127.0.0.1:{port}", places)
    finally:
        run("down", timeout_s=120, **places)


def test_orders_are_charged_and_counted_once_and_a_parked_customer_in_order(shop):
    made = shop.run("topics", "create", "orders", "--partitions", "6", **shop.places)
    assert made.returncode == 0, made.stderr
    shop.sql((ROOT / "examples" / "orders" / "schema.sql").read_text())
    shop.order("ada", 1, "4000-0001")
    shop.order("bob", 2, "4000-0002")
    shop.order("bob", 3, "4000-0001")
    with shop.worker("charging"), shop.worker("counting"):
        wait_until(lambda: shop.charged() == [(1, "ada")], SOON_S, "ada is charged")
        expected = ({b"ada": b"1", b"bob": b"2"}, {b"ada": b"500", b"bob": b"1000"})
        wait_until(lambda: shop.counted() == expected, SOON_S, "all are counted")
        letters = ("deadletters", "list", "orders", "--group", "charging", "--json")
        wait_until(
            lambda: len(json.loads(shop.run(*letters, **shop.places).stdout)) == 2,
            SOON_S,
            "bob's orders are letters",
        )
        shop.sql("UPDATE cards SET is_blocked = false")
        replay = ("deadletters", "replay", "orders", "--group", "charging")
        replayed = shop.run(*replay, timeout_s=SOON_S, **shop.places)
        assert replayed.returncode == 0, replayed.stderr
        assert shop.charged() == [(1, "ada"), (2, "bob"), (3, "bob")]
        assert shop.counted() == expected
