"""Random commands over random keys, beside a model of what a server makes of them."""

import contextlib
import copy
import uuid

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eventstream.events import Event
from eventstream.sinks.contract import Poisoned
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

pytestmark = pytest.mark.anyio

MAX, MIN = 2**63 - 1, -(2**63)
KEYS = [b"one", b"two"]
FIELDS = [b"f", b"g"]
HASH = ("hash", {b"f": b"1", b"g": b"2"})
LAST_ID = f"{2**64 - 1}-{2**64 - 1}"


class WouldFailError(Exception):
    """The server would not take a command."""


class Model:
    """What a server holds: a kind and a content by key."""

    def __init__(self, held):
        self.held = held

    def take(self, events):
        """Take events, each as a whole or not at all; return which were not."""
        refused = []
        for number, commands in enumerate(events):
            before = copy.deepcopy(self.held)
            try:
                for name, key, *rest in commands:
                    getattr(self, name)(key, *rest)
            except WouldFailError:
                self.held = before
                refused.append(number)
        return refused

    def content(self, key, kind, empty):
        found, content = self.held.setdefault(key, (kind, empty))
        if found != kind:
            raise WouldFailError
        return content

    def set(self, key, value):
        self.held[key] = "string", value

    def delete(self, key):
        self.held.pop(key, None)

    def add(self, key, amount):
        self.held[key] = "string", total(self.content(key, "string", b"0"), amount)

    def hash_set(self, key, fields):
        self.content(key, "hash", {}).update(fields)

    def hash_add(self, key, field, amount):
        content = self.content(key, "hash", {})
        content[field] = total(content.get(field, b"0"), amount)

    def hash_delete(self, key, fields):
        if key in self.held:
            content = self.content(key, "hash", {})
            for field in fields:
                content.pop(field, None)
            if not content:
                del self.held[key]

    def sorted_add(self, key, member, amount):
        content = self.content(key, "zset", {})
        content[member] = content.get(member, 0.0) + amount

    def stream_add(self, key, fields):
        content = self.content(key, "stream", [])
        if content and content[-1] == LAST_ID:
            raise WouldFailError
        content.append(fields)


def total(text, amount):
    try:
        before = int(text)
    except ValueError:
        raise WouldFailError from None
    if text != b"%d" % before or not (MIN <= before <= MAX and MIN <= before + amount <= MAX):
        raise WouldFailError
    return b"%d" % (before + amount)


CONSTRUCTORS = {
    "set": Set,
    "delete": Delete,
    "add": Add,
    "hash_set": HashSet,
    "hash_add": HashAdd,
    "hash_delete": lambda key, fields: HashDelete(key, *fields),
    "sorted_add": SortedAdd,
    "stream_add": StreamAdd,
}

keys = st.sampled_from(KEYS)
fields = st.sampled_from(FIELDS)
integers = (
    st.sampled_from([0, 1, -1, MAX, MIN, MAX - 1, MIN + 1, 10**10 - 1, 10**10, -(10**10)])
    | st.integers(MIN, MAX)
    | st.integers(-(10**16), 10**16)
)
odd = [b"", b"-0", b"+1", b"01", b" 1", b"1 ", b"1.0", b"1e3", b"0x1", b"text", b"1\n", b"1\0"]
odd += [b"%d" % (MAX + 1), b"%d" % (MIN - 1), b"9" * 20, b"-" + b"9" * 30]
texts = st.sampled_from(odd) | integers.map(lambda number: b"%d" % number)
pairs = st.dictionaries(fields, texts, min_size=1)
commands = st.one_of(
    st.tuples(st.just("set"), keys, texts),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("add"), keys, integers),
    st.tuples(st.just("hash_set"), keys, pairs),
    st.tuples(st.just("hash_add"), keys, fields, integers),
    st.tuples(st.just("hash_delete"), keys, st.lists(fields, min_size=1)),
    st.tuples(st.just("sorted_add"), keys, fields, st.integers(-100, 100)),
    st.tuples(st.just("stream_add"), keys, pairs),
)
held = st.dictionaries(
    keys,
    st.one_of(
        texts.map(lambda text: ("string", text)),
        pairs.map(lambda content: ("hash", content)),
        st.builds(lambda: ("list", [b"item"])),
        st.builds(lambda: ("zset", {b"f": 2.0})),
        st.builds(lambda: ("stream", [{b"f": b"v"}])),
        st.builds(lambda: ("stream", [LAST_ID])),
    ),
)


def put(client, prefix, content):
    for key, (kind, what) in content.items():
        name = prefix + key
        if kind == "string":
            client.set(name, what)
        elif kind == "hash":
            client.hset(name, mapping=what)
        elif kind == "list":
            client.rpush(name, *what)
        elif kind == "zset":
            client.zadd(name, what)
        elif what == [LAST_ID]:
            client.xadd(name, {"f": "v"}, id=LAST_ID)
        else:
            client.xadd(name, what[0])


def got(client, prefix):
    readers = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda name: client.lrange(name, 0, -1),
        "zset": lambda name: dict(client.zrange(name, 0, -1, withscores=True)),
        "stream": lambda name: [
            LAST_ID if entry.decode() == LAST_ID else what for entry, what in client.xrange(name)
        ],
    }
    found = {}
    for key in KEYS:
        kind = client.type(prefix + key).decode()
        if kind != "none":
            found[key] = kind, readers[kind](prefix + key)
    return found


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@st.composite
def counts(draw):
    """Draw what a counter holds, and amounts that lead to the ends of 64 bits and beyond."""
    text = draw(texts)
    amounts, now = [], draw(integers)
    with contextlib.suppress(ValueError):
        now = int(text)
    for end in draw(st.lists(st.sampled_from([MAX, MAX + 1, MIN, MIN - 1, 0]), max_size=4)):
        amounts.append(min(max(end - now, MIN), MAX))
        now = min(max(now + amounts[-1], MIN), MAX)
    return text, [*amounts, draw(integers)]


@settings(max_examples=400, **QUICK)
@given(held=held, plan=st.lists(st.lists(commands, max_size=4), max_size=8))
@example(held={b"one": ("stream", [LAST_ID])}, plan=[[("stream_add", b"one", {b"f": b"v"})]])
@example(held={}, plan=[[("hash_delete", b"one", [b"f"]), ("add", b"one", 1)]])
@example(held={b"one": HASH}, plan=[[("hash_delete", b"one", [b"f"]), ("add", b"one", 1)]])
@example(held={b"one": HASH}, plan=[[("hash_delete", b"one", [b"f", b"g"]), ("add", b"one", 1)]])
async def test_a_batch_does_what_its_commands_would_do_one_after_the_other(valkey, held, plan):
    await compare(valkey, held, plan)


@settings(max_examples=200, **QUICK)
@given(counted=counts(), in_hash=st.booleans())
async def test_counters_end_where_64_bits_end(valkey, counted, in_hash):
    text, amounts = counted
    if in_hash:
        held = {b"one": ("hash", {b"f": text})}
        plan = [[("hash_add", b"one", b"f", amount)] for amount in amounts]
    else:
        held = {b"one": ("string", text)}
        plan = [[("add", b"one", amount)] for amount in amounts]
    await compare(valkey, held, plan)


async def compare(valkey, held, plan):
    prefix = uuid.uuid4().hex.encode()

    def of(event):
        return [CONSTRUCTORS[name](prefix + key, *rest) for name, key, *rest in plan[event.offset]]

    model = Model(copy.deepcopy(held))
    refused = model.take(plan)
    events = [Event("orders", b"", partition=0, offset=number) for number in range(len(plan))]
    sink = Redis(of, url=valkey.url, key_tag=prefix.decode()).connect(lambda: None)
    with redis.Redis.from_url(valkey.url, protocol=2) as client:
        put(client, prefix, held)
        await sink.open("group", "orders")
        tenure = await sink.take_over(0, 0)
        if refused:
            with pytest.raises(Poisoned) as raised:
                await tenure.write(events, len(plan))
            assert sorted(raised.value.reasons) == refused
            assert tenure.next_offset == 0
            assert got(client, prefix) == held
        await tenure.write([each for each in events if each.offset not in refused], len(plan))
        await sink.close()
        assert got(client, prefix) == model.held
