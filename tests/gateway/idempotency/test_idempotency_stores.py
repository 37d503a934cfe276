"""What every store of idempotency keys does: one suite for all drivers."""

import asyncio
import secrets
from hashlib import sha256

import pytest

from eventstream.gateway.idempotency.contract import (
    Answered,
    Ask,
    Different,
    Reserved,
    Stale,
    Underway,
)

OVER = 0.0
LONG_S = 60.0


def ask(key, lease_s=LONG_S, body=b"body", start=b"start"):
    token = secrets.token_bytes(16)
    return Ask(sha256(key).digest(), sha256(body).digest(), token, start, lease_s)


@pytest.fixture
def on(open_store):
    """Run a coroutine function on a new store."""

    def on(story, **settings):
        async def main():
            async with open_store(**settings) as store:
                await story(store)

        asyncio.run(main())

    return on


def test_a_key_is_reserved_once_and_answered_for_ever(on):
    async def story(store):
        first = ask(b"k")
        assert await store.reserve(first) == Reserved()
        waiting = await store.reserve(ask(b"k"))
        assert isinstance(waiting, Underway)
        assert 0 <= waiting.age_s < 10
        assert LONG_S - 10 < waiting.lease_left_s <= LONG_S
        assert await store.complete(first.id, first.token, b"answer")
        assert await store.reserve(ask(b"k")) == Answered(b"answer")
        assert await store.reserve(ask(b"other")) == Reserved()

    on(story)


def test_another_request_with_the_key_is_different_at_every_stage(on):
    async def story(store):
        first = ask(b"k", OVER)
        await store.reserve(first)
        assert await store.reserve(ask(b"k", body=b"another")) == Different()
        await store.complete(first.id, first.token, b"answer")
        assert await store.reserve(ask(b"k", body=b"another")) == Different()

    on(story)


def test_asking_again_with_the_same_token_says_the_same(on):
    async def story(store):
        first = ask(b"k")
        assert await store.reserve(first) == Reserved()
        assert await store.reserve(first) == Reserved()
        await store.give_back(first.id, first.token)
        second = ask(b"k")
        assert await store.reserve(second) == Stale(first.token, b"start")
        assert await store.reserve(second) == Stale(first.token, b"start")
        assert await store.complete(second.id, second.token, b"answer")
        assert await store.complete(second.id, second.token, b"answer")
        assert not await store.complete(second.id, second.token, b"another")

    on(story)


def test_a_stale_key_goes_to_one_of_those_who_ask_with_its_first_mark(on):
    async def story(store):
        first = ask(b"k", OVER, start=b"here")
        await store.reserve(first)
        retries = [ask(b"k", start=b"there") for _ in range(20)]
        verdicts = await asyncio.gather(*map(store.reserve, retries))
        assert verdicts.count(Stale(first.token, b"here")) == 1
        assert sum(isinstance(each, Underway) for each in verdicts) == 19

    on(story)


def test_whoever_lost_the_key_changes_nothing(on):
    async def story(store):
        first = ask(b"k", OVER)
        await store.reserve(first)
        second = ask(b"k")
        await store.reserve(second)
        assert not await store.complete(first.id, first.token, b"late")
        assert not await store.renew(first.id, first.token, LONG_S)
        await store.release(first.id, first.token)
        await store.give_back(first.id, first.token)
        assert isinstance(await store.reserve(ask(b"k")), Underway)
        assert await store.complete(second.id, second.token, b"answer")
        await store.release(second.id, second.token)
        assert await store.reserve(ask(b"k")) == Answered(b"answer")

    on(story)


def test_a_released_key_is_free_and_a_given_back_one_is_stale(on):
    async def story(store):
        first = ask(b"k")
        await store.reserve(first)
        await store.release(first.id, first.token)
        second = ask(b"k", body=b"another", start=b"anew")
        assert await store.reserve(second) == Reserved()
        await store.give_back(second.id, second.token)
        assert not await store.complete(second.id, second.token, b"late")
        assert await store.reserve(ask(b"k", body=b"another")) == Stale(second.token, b"anew")

    on(story)


def test_a_renewed_lease_keeps_others_out(on):
    async def story(store):
        first = ask(b"k", OVER)
        await store.reserve(first)
        assert await store.renew(first.id, first.token, LONG_S)
        assert isinstance(await store.reserve(ask(b"k")), Underway)

    on(story)


def test_a_key_that_has_had_its_time_is_free_for_any_request(on):
    async def story(store):
        answered, stale, leased = ask(b"answered"), ask(b"stale", OVER), ask(b"leased")
        for each in (answered, stale, leased):
            await store.reserve(each)
        await store.complete(answered.id, answered.token, b"answer")
        assert await store.reserve(ask(b"answered", body=b"another")) == Reserved()
        assert await store.reserve(ask(b"stale", body=b"another")) == Reserved()
        assert isinstance(await store.reserve(ask(b"leased")), Underway)

    on(story, ttl_s=0.0)


def test_of_many_who_ask_at_once_each_key_goes_to_one(on):
    async def story(store):
        keys = [b"%d" % number for number in range(100)]
        asks = [ask(key) for _ in range(10) for key in keys]
        verdicts = await asyncio.gather(*map(store.reserve, asks))
        won = [each for each, verdict in zip(asks, verdicts, strict=True) if verdict == Reserved()]
        assert len(won) == len({each.id for each in won}) == 100
        done = await asyncio.gather(*(store.complete(one.id, one.token, one.id) for one in won))
        assert all(done)
        again = await asyncio.gather(*(store.reserve(ask(key)) for key in keys))
        assert again == [Answered(ask(key).id) for key in keys]

    on(story)
