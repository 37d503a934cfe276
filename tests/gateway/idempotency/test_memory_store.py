"""The memory store against a model of it, and its bounds."""

import asyncio
import secrets

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eventstream.gateway.idempotency.contract import (
    Answered,
    Ask,
    Different,
    Reserved,
    Stale,
    StoreUnavailable,
    Underway,
)
from eventstream.gateway.idempotency.memory import ENTRY_BYTES, MemoryStore

TTL_S = 100.0
keys = st.sampled_from([b"a", b"b", b"c"])
bodies = st.sampled_from([b"one", b"two"])


def now(coroutine):
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


class Keys(RuleBasedStateMachine):
    """Attempts come, lose their leases, end; the model is one line of facts a key."""

    def __init__(self):
        super().__init__()
        self.time = 0.0
        self.store = MemoryStore(TTL_S, 1000, 10_000_000, lambda: self.time)
        self.rows = {}
        self.attempts = []

    @rule(key=keys, body=bodies, lease_s=st.sampled_from([0.0, 5.0, 50.0]))
    def reserve(self, key, body, lease_s):
        ask = Ask(key, body, secrets.token_bytes(16), b"start", lease_s)
        verdict = now(self.store.reserve(ask))
        row = self.rows.get(key)
        if row is None:
            assert verdict == Reserved()
            self.rows[key] = {
                "body": body,
                "mark": ask.token,
                "owner": ask.token,
                "until": self.time + lease_s,
                "since": self.time,
                "answer": None,
            }
        elif row["body"] != body:
            assert verdict == Different()
        elif row["answer"] is not None:
            assert verdict == Answered(row["answer"])
        elif row["until"] > self.time:
            assert verdict == Underway(self.time - row["since"], row["until"] - self.time)
        else:
            assert verdict == Stale(row["mark"], b"start")
            row |= {"owner": ask.token, "until": self.time + lease_s}
        if isinstance(verdict, Reserved | Stale):
            self.attempts.append((key, ask.token))

    @rule(data=st.data(), how=st.sampled_from(["complete", "renew", "release", "give_back"]))
    def end(self, data, how):
        if not self.attempts:
            return
        key, token = data.draw(st.sampled_from(self.attempts))
        row = self.rows.get(key)
        owns = row is not None and row["owner"] == token and row["answer"] is None
        if how == "complete":
            repeats = row is not None and (row["owner"], row["answer"]) == (token, token)
            assert now(self.store.complete(key, token, token)) == (owns or repeats)
            if owns:
                row["answer"] = token
        elif how == "renew":
            assert now(self.store.renew(key, token, 20.0)) == owns
            if owns:
                row["until"] = self.time + 20
        elif how == "release":
            now(self.store.release(key, token))
            if owns:
                del self.rows[key]
        else:
            now(self.store.give_back(key, token))
            if owns:
                row |= {"until": self.time, "owner": None}

    @rule(passes_s=st.sampled_from([1.0, 10.0]))
    def wait(self, passes_s):
        self.time += passes_s
        if any(row["since"] + TTL_S <= self.time for row in self.rows.values()):
            # Expiry has tests of its own; begin anew.
            self.time += 2 * TTL_S
            self.rows.clear()
            self.attempts.clear()

    @invariant()
    def counts_its_bytes(self):
        sizes = (entry.size for entry in self.store._entries.values())
        assert self.store.bytes == sum(sizes)


TestKeys = Keys.TestCase


def ask(key):
    return Ask(b"%d" % key, b"body", secrets.token_bytes(16), b"", 60.0)


def test_the_oldest_answers_make_room_and_what_is_under_way_never_does():
    store = MemoryStore(TTL_S, 3, 10_000_000, lambda: 0.0)
    asks = [ask(number) for number in range(3)]
    for each in asks:
        now(store.reserve(each))
    with pytest.raises(StoreUnavailable, match="3 requests with idempotency keys are under way"):
        now(store.reserve(ask(3)))
    now(store.complete(asks[1].id, asks[1].token, b"answer"))
    assert now(store.reserve(ask(3))) == Reserved()
    assert store.forgotten == 1
    assert len(store) == 3
    assert isinstance(now(store.reserve(ask(0))), Underway)


def test_answers_stay_within_the_bytes_they_may_take():
    most = 10 * (ENTRY_BYTES + 1000)
    store = MemoryStore(TTL_S, 1000, most, lambda: 0.0)
    for number in range(50):
        each = ask(number)
        now(store.reserve(each))
        now(store.complete(each.id, each.token, 1000 * b"x"))
        assert store.bytes <= most
    assert isinstance(now(store.reserve(ask(49))), Answered)
    assert now(store.reserve(ask(0))) == Reserved()


def test_memory_is_given_back_when_keys_have_had_their_time():
    time = 0.0
    store = MemoryStore(TTL_S, 1000, 10_000_000, lambda: time)
    for number in range(100):
        each = ask(number)
        now(store.reserve(each))
        now(store.complete(each.id, each.token, b"answer"))
    time = TTL_S
    now(store.reserve(ask(1)))
    assert len(store) == 1


def test_the_promise_s_reach_is_said():
    assert MemoryStore.fields == ((b"idempotency-scope", b"process"),)


def test_it_opens_and_closes():
    async def story():
        async with MemoryStore(1.0, 1, 10_000, lambda: 0.0) as store:
            return await store.reserve(ask(1))

    assert asyncio.run(story()) == Reserved()
