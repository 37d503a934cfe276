"""Which databases stand beside a stack, and that nobody sees their passwords."""

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eventstream.errors import InvalidSetting, LocalServerError
from eventstream.local.panel import Rates, draw
from eventstream.local.progress import Silent
from eventstream.local.stack import Stack, StackState
from eventstream.local.stores import Stores, address_of, chosen, without_password
from eventstream.settings import BrokerSettings, HomeSettings, StoreSettings

PLACE = "127.0.0.1:5432/orders"


@pytest.fixture
def own_home(tmp_path):
    return HomeSettings(home=tmp_path)


class Heard(Silent):
    def __init__(self):
        self.sentences = []

    def say(self, sentence):
        self.sentences.append(sentence)


def test_names_are_read_once_each_in_their_order():
    assert chosen("") == ()
    assert chosen("redis, postgres,valkey") == ("redis", "postgres")
    with pytest.raises(InvalidSetting, match=r"^There is no database 'mysql'; choose postgres or"):
        chosen("postgres,mysql")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://ann:secret@{PLACE}", f"postgresql://ann@{PLACE}"),
        (f"postgresql://ann@{PLACE}?password=secret", f"postgresql://ann@{PLACE}"),
        ("postgresql://ann:secret@a:1,b:2/orders", "postgresql://ann@a:1,b:2/orders"),
        ("redis://:secret@[::1]:6379/0", "redis://[::1]:6379/0"),
        ("host=localhost user=ann password=secret", None),
        ("redis://default:secret", None),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


@given(st.text(), st.sampled_from(["", "?", "?sslmode=require", "?password="]))
def test_no_part_of_any_password_is_shown(password, parameters):
    shown = without_password(f"postgresql://ann:{password}@{PLACE}{parameters}")
    assert shown in {None, f"postgresql://ann@{PLACE}"}


def test_a_local_one_is_started_told_of_and_stopped(own_home):
    stores = Stores(("redis",), own_home, StoreSettings(), Silent())
    (store,) = stores.start()
    assert psutil.pid_exists(store.process.pid)
    url = stores.environment["EVENTSTREAM_REDIS_URL"]
    assert url == address_of("valkey", own_home, StoreSettings())
    assert store.where == without_password(url)
    assert store.state == "ready"
    stores.stop()
    assert store.state == "ended"
    assert store.ending.startswith("exit code 0; its log is ")
    with pytest.raises(LocalServerError, match="No Valkey runs here; start one: eventstream up"):
        address_of("redis", own_home, StoreSettings())


def test_one_that_ran_before_is_left_alone(own_home):
    first = Stores(("redis",), own_home, StoreSettings(), Silent())
    (store,) = first.start()
    second = Stores(("redis",), own_home, StoreSettings(), Silent())
    assert list(second.start()) == [store]
    second.stop()
    assert store.state == "ready"
    first.stop()


def test_a_setting_takes_the_place_of_a_local_one(own_home):
    heard = Heard()
    settings = StoreSettings(postgres_dsn=f"postgresql://ann:secret@{PLACE}")
    stores = Stores(("postgres",), own_home, settings, heard)
    (store,) = stores.start()
    assert (store.where, store.state) == (f"postgresql://ann@{PLACE}", "given")
    assert heard.sentences == [
        "PostgreSQL is the one EVENTSTREAM_POSTGRES_DSN names; none is started."
    ]
    assert stores.environment == {"EVENTSTREAM_POSTGRES_DSN": settings.postgres_dsn}
    assert address_of("postgres", own_home, settings) == settings.postgres_dsn
    stores.stop()
    assert list(own_home.home.iterdir()) == []


def test_the_panel_shows_them(own_home):
    stores = Stores(("redis",), own_home, StoreSettings(redis_url="redis://:pw@db/0"), Silent())
    places = {"host": "127.0.0.1", "port": 1, "topic": "events", "app": None, "processes": 1}
    stack = Stack(own_home, BrokerSettings(), **places, stores=stores, progress=Silent())
    stack.state = StackState(stack.state.owner, "localhost:9092", stores=tuple(stores.start()))
    console = Console(width=100)
    with console.capture() as captured:
        console.print(draw(stack, Rates(own_home.home)))
    assert "redis  redis://db/0         given" in captured.get()
