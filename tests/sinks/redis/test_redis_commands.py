"""What commands, batches and templates are made of, without a server."""

import pytest

from eventstream.errors import InvalidEvent, InvalidSetting, Permanent, Transient
from eventstream.events import Event
from eventstream.sinks.contract import Poisoned, SinkRefused, SinkUnavailable
from eventstream.sinks.redis import (
    Add,
    Delete,
    HashAdd,
    HashDelete,
    HashSet,
    Redis,
    Set,
    SortedAdd,
    StreamAdd,
)
from eventstream.sinks.redis import batches as batches_module
from eventstream.sinks.redis.batches import Batches, tag_of
from eventstream.sinks.redis.server import read, risks
from eventstream.sinks.redis.templates import Templates

ORDER = Event(
    "orders",
    b'{"id": 7, "name": "caf\\u00e9", "lines": [{"n": 1}], "gone": null, "x y": -5, "h": 0.5}',
    b"k",
    (("kind", b"new"), ("kind", b"newer")),
    partition=3,
    offset=41,
    timestamp_ms=1700000000000,
)
TOMBSTONE = Event("orders", None, b"k", partition=3, offset=42)


def test_numbers_and_texts_become_bytes():
    assert Set("é", 1).key == "é".encode()
    assert Set("k", 0.5).words == (b"SET", 1, b"0.5")
    assert Set("k", b"\xff", expire_s=1.5).words == (b"SET", 3, b"\xff", b"PX", b"1500")
    assert HashSet("k", {"f": 1, "g": "v"}).words == (b"HSET", 4, b"f", b"1", b"g", b"v")
    assert StreamAdd("k", {b"f": "v"}, 10).words[2:5] == (b"MAXLEN", b"~", b"10")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Set("k", "\ud800"),
        lambda: Set("k", None),
        lambda: Set("k", True),
        lambda: Set("k", float("nan")),
        lambda: Set("k", "v", expire_s=0),
        lambda: Set("k", "v", expire_s=float("nan")),
        lambda: Add("k", 2**63),
        lambda: Add("k", 1.0),
        lambda: SortedAdd("k", "m", float("inf")),
        lambda: HashSet("k", {}),
        lambda: HashSet("k", dict.fromkeys(map(str, range(1001)), 1)),
        lambda: HashDelete("k"),
        lambda: StreamAdd("k", {"f": "v"}, 0),
    ],
)
def test_what_no_server_takes_is_refused_when_it_is_made(make):
    with pytest.raises(InvalidEvent):
        make()


def test_a_command_does_not_show_its_value():
    assert repr(Set("key", "secret")) == "Set('key', ...)"
    assert Set("a", 1) == Set(b"a", b"1")
    assert len({Set("a", 1), Set(b"a", b"1"), Delete("a")}) == 2


def test_what_an_event_does_not_say_makes_it_poisoned():
    def commands(event):
        if event.offset == 1:
            raise Permanent("It is of no use.")
        return [Set(event.json()["id"], 1)]

    events = [Event("orders", b"{}", partition=0, offset=offset) for offset in range(2)]
    with pytest.raises(Poisoned) as raised:
        list(Batches(commands).of(events, 2))
    assert raised.value.reasons == {
        0: "What it does cannot be said: KeyError: 'id'.",
        1: "It is of no use.",
    }


def test_what_passes_is_not_taken_for_poison():
    def commands(_):
        raise Transient("The rates are not there yet.")

    with pytest.raises(Transient):
        list(Batches(commands).of([ORDER], 42))


def test_an_event_with_more_than_a_call_may_have_is_poisoned(monkeypatch):
    monkeypatch.setattr(batches_module, "MOST_WORDS", 10)
    with pytest.raises(Poisoned):
        list(Batches(lambda _: [Delete("k")] * 6).of([ORDER], 42))


def test_a_batch_holds_the_commands_in_order():
    (batch,) = Batches(lambda event: [Delete("a"), Add("b", event.offset)]).of([ORDER], 50)
    assert batch == ([41], [b"a", b"b"], [2, b"DEL", 0, b"INCRBY", 1, b"41"], 50)


def test_in_a_cluster_every_key_has_the_tag():
    assert list(map(tag_of, [b"a{b}c", b"{}a", b"a", b"{a", b"{{b}}"])) == [
        b"b",
        None,
        None,
        None,
        b"{b",
    ]
    with pytest.raises(Poisoned) as raised:
        list(Batches(lambda _: [Delete("{b}x"), Delete("x")], b"b").of([ORDER], 42))
    assert raised.value.reasons[41].startswith("The key 'x' has not {b} in it")


@pytest.mark.parametrize(
    ("template", "command"),
    [
        ("set order:{/id} {value}", Set("order:7", ORDER.value)),
        ("SET {{o}}:{key} {/name} ex 60", Set("{o}:k", "café", 60)),
        (
            "hset {topic} {partition} {/lines/0} kind {headers.kind}",
            HashSet("orders", {"3": '{"n": 1}', "kind": "newer"}),
        ),
        ("xadd log maxlen ~ 100 * at {timestamp}", StreamAdd("log", {"at": 1700000000000}, 100)),
        ("xadd log maxlen 100 * maxlen {offset}", StreamAdd("log", {"maxlen": 41}, 100)),
        ("xadd log * maxlen 1", StreamAdd("log", {"maxlen": 1})),
        ("incrby n {/x y}", Add("n", -5)),
        ("hincrby n {key} 2", HashAdd("n", "k", 2)),
        ("zincrby n {/h} {key}", SortedAdd("n", "k", 0.5)),
        ("del cache:{key}", Delete("cache:k")),
        ("hdel h {key} b", HashDelete("h", "k", "b")),
    ],
)
def test_a_template_is_a_command_with_an_events_values(template, command):
    assert Templates([template])(ORDER) == [command]


@pytest.mark.parametrize(
    ("template", "command"),
    [
        ("set order:{key} {value}", Delete("order:k")),
        ("hset h {key} {/id} b {/name}", HashDelete("h", "k", "b")),
        ("incrby n 1", Add("n", 1)),
        ("set seen:{key} {offset}", Set("seen:k", 42)),
    ],
)
def test_a_tombstone_deletes_what_its_value_would_have_set(template, command):
    assert Templates([template])(TOMBSTONE) == [command]


@pytest.mark.parametrize(
    ("template", "event"),
    [
        ("set order:{/id} {value}", TOMBSTONE),
        ("xadd log * event {value}", TOMBSTONE),
        ("set a {/gone}", ORDER),
        ("set a {/missing}", ORDER),
        ("set a {headers.other}", ORDER),
        ("incrby n {/h}", ORDER),
        ("zincrby n {/name} {key}", ORDER),
        ("set a {/id}", Event("orders", b"{", b"k")),
        ("set a {key}", Event("orders", b"{}")),
    ],
)
def test_an_event_that_lacks_what_a_template_wants_is_invalid(template, event):
    with pytest.raises(InvalidEvent):
        Templates([template])(event)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "set",
        "set a",
        "set a b c",
        "set a b ex 0",
        "get a",
        "hset h f",
        "xadd log f v",
        "xadd log * f",
        "incrby n",
        "del a b",
        "hdel h",
        "{key} a b",
        "set {nothing} v",
        "set {headers} v",
        "set a}b v",
        "set {a v",
    ],
)
def test_what_is_no_template_is_refused(template):
    with pytest.raises(InvalidSetting):
        Templates([template])


def test_a_template_without_the_tag_is_refused_at_the_start():
    Templates(["set {{o}}:{key} v", "del {{o}}"]).check_tag("o")
    with pytest.raises(SinkRefused, match="set order:"):
        Templates(["set {{o}}:{key} v", "set order:{key} v"]).check_tag("o")


@pytest.mark.parametrize("tag", ["", "{a}", "a}"])
def test_a_key_tag_is_a_word(tag):
    with pytest.raises(InvalidSetting):
        Redis(["del a"], key_tag=tag)


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "redis://user:password@host:port",
        "redis://user:password@host/name",
        "redis://user:password@host?nonsense=1",
        "password",
    ],
)
def test_an_url_that_is_none_is_refused_without_being_shown(url):
    with pytest.raises(InvalidSetting) as raised:
        Redis(["del a"], url=url).connect(lambda: None)
    assert "nonsense" not in str(raised.value)
    assert ":password@host" not in str(raised.value).replace("user:password@host:port/0", "")


def test_the_environment_names_the_server(monkeypatch):
    monkeypatch.delenv("EVENTSTREAM_REDIS_URL", raising=False)
    with pytest.raises(InvalidSetting, match="EVENTSTREAM_REDIS_URL"):
        Redis(["del a"]).connect(lambda: None)
    monkeypatch.setenv("EVENTSTREAM_REDIS_URL", "valkey://localhost")
    Redis(["del a"]).connect(lambda: None)


def info(**facts):
    lines = [f"{name}:{value}" for name, value in facts.items()]
    return "\r\n".join(["# Server", *lines, ""]).encode()


def test_a_server_without_functions_is_refused():
    with pytest.raises(SinkRefused, match=r"Redis 6\.2\.14, which has no functions"):
        read(info(redis_version="6.2.14", run_id="a", role="master"))
    assert read(info(redis_version="7.4.1", run_id="a", role="master")).name == "Redis 7.4.1"
    valkey = info(redis_version="7.2.4", server_name="valkey", valkey_version="9.1.2")
    assert read(valkey).name == "Valkey 9.1.2"
    with pytest.raises(SinkUnavailable, match="replica"):
        read(info(redis_version="8.0.0", role="slave"))
    assert read(info(redis_version="8.0.0", role="slave", cluster_enabled=1)).is_cluster


def test_what_a_server_may_lose_is_said():
    safe = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory": "0"}
    assert risks(safe | {"maxmemory-policy": "allkeys-lru"}) == []
    assert "all it has" in risks(safe | {"appendonly": "no"})[0]
    assert "last snapshot" in risks(safe | {"appendonly": "no", "save": "3600 1"})[0]
    assert "last second" in risks(safe | {"appendfsync": "everysec"})[0]
    full = safe | {"maxmemory": "1000000"}
    assert "evict" in risks(full | {"maxmemory-policy": "allkeys-lfu"})[0]
    assert risks(full | {"maxmemory-policy": "volatile-lru"}) == []
