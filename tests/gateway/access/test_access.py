"""Who may do what: keys, tokens and rates together."""

import asyncio
import base64
import json
import os
import re
from datetime import UTC, datetime

import msgspec
import pytest
from issuers import AUDIENCE, EC_KEY, ISSUER, NOW_S, RSA_KEY, key_set, public, publishing, token
from structlog.testing import capture_logs

from eventstream.errors import InvalidSetting
from eventstream.gateway.access import access as module
from eventstream.gateway.access import key_file
from eventstream.gateway.access.access import Access
from eventstream.gateway.access.credentials import SEVERAL
from eventstream.gateway.access.jwks import REFETCH_S
from eventstream.gateway.access.keys import Key, digest, new_secret
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.answers import problem_answer
from eventstream.gateway.problems import Problem
from eventstream.settings import AccessSettings


class Clocks:
    """A clock of seconds and one of the day, moved by hand."""

    def __init__(self):
        self.now_s = 5000.0

    def monotonic(self):
        return self.now_s

    def wall(self):
        return NOW_S + self.now_s - 5000.0


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def make_key(file):
    def make_key(name="orders", **members):
        secret = new_secret(name)
        with key_file.changing(file) as keys:
            members = {"write": ("orders",), **members}
            keys.append(Key(name=name, sha256=digest(secret), created=datetime.now(UTC), **members))
        return f"Bearer {secret}".encode()

    return make_key


@pytest.fixture
def access_of(clocks):
    def access_of(processes=1, **settings):
        return Access(AccessSettings(**settings), processes, clocks.monotonic, clocks.wall)

    return access_of


def tokens_from(server):
    return {"jwt_jwks": server.url, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}


def challenge(problem):
    return dict(problem.fields)[b"www-authenticate"].decode()


def bearer(text):
    return f"Bearer {text}".encode()


def test_where_nothing_is_configured_everybody_may_do_everything(access_of):
    access = access_of()
    assert not access.required
    assert access.refusal(b"", "orders") is None
    assert access.refusal(b"Bearer anything", "orders") is None
    assert access.read_refusal(b"", "orders") is None
    assert access.caller(b"") is None


def test_a_request_without_a_credential_is_told_how_to_give_one(access_of, make_key, file):
    make_key()
    refusal = access_of(keys_file=file).refusal(b"", "orders")
    assert refusal.status == 401
    assert challenge(refusal) == 'Bearer realm="eventstream"'


def test_a_key_writes_and_reads_what_it_may(access_of, make_key, file):
    credential = make_key(write=("orders", "pay.*"), read=("log",))
    access = access_of(keys_file=file)
    for _ in range(2):
        assert access.refusal(credential, "orders") is None
        assert access.refusal(credential, "pay.in") is None
        assert access.read_refusal(credential, "log") is None
        for refusal in (access.refusal(credential, "log"), access.read_refusal(credential, "pay")):
            assert refusal.status == 403
            assert 'error="insufficient_scope"' in challenge(refusal)
    assert access.caller(credential).name == "key:orders"


def test_rest_proxy_clients_send_a_key_as_user_and_password(access_of, make_key, file):
    secret = make_key().partition(b" ")[2]
    access = access_of(keys_file=file)
    assert access.refusal(b"Basic " + base64.b64encode(b"orders:" + secret), "orders") is None
    wrong = access.refusal(b"Basic " + base64.b64encode(b"others:" + secret), "orders")
    assert wrong.status == 401


@pytest.mark.parametrize(
    "credential",
    [b"Bearer ", b"Bearer es_orders_x", b"Bearer es_", b"Bearer abc", b"Digest x", b"\xff", b"x"],
)
def test_what_is_no_good_credential_is_refused_and_leaves_nothing(
    access_of, make_key, file, credential
):
    make_key()
    access = access_of(keys_file=file)
    for _ in range(3):
        refusal = access.refusal(credential, "orders")
        assert refusal.status == 401
        assert 'error="invalid_token"' in challenge(refusal)
    assert access._callers == {}


def test_two_credentials_are_a_bad_request(access_of, make_key, file):
    make_key()
    refusal = access_of(keys_file=file).refusal(SEVERAL, "orders")
    assert refusal.status == 400
    assert 'error="invalid_request"' in challenge(refusal)


def test_a_good_callers_many_spellings_do_not_fill_the_memory(
    access_of, make_key, file, monkeypatch
):
    monkeypatch.setattr(module, "REMEMBERED", 5)
    secret = make_key().partition(b" ")[2]
    access = access_of(keys_file=file)
    spellings = [f"{'b' if number & 1 else 'B'}{rest}" for number in range(2) for rest in REST]
    assert len(spellings) > 5
    for spelling in spellings:
        assert access.refusal(spelling.encode() + b" " + secret, "orders") is None
        assert len(access._callers) <= 5


REST = ("earer", "EARER", "eareR", "eaRer")


def test_no_refusal_tells_a_secret_or_puts_text_of_a_caller_into_a_header(
    access_of, make_key, file
):
    credential = make_key()
    secret = credential.partition(b" ")[2]
    access = access_of(keys_file=file)
    evil = 'a"\r\nx: y'
    for refusal in (
        access.refusal(credential, evil),
        access.refusal(credential[:-1], evil),
        access.refusal(bearer(evil), "orders"),
        access.read_refusal(credential, evil),
    ):
        answer = problem_answer(refusal)
        assert secret[:-1] not in repr(answer).encode()
        for _, value in answer.fields:
            assert re.fullmatch(rb"[ -~]*", value)
            assert b"x: y" not in value
        assert json.loads(answer.body)["status"] == refusal.status


def test_a_caller_knows_no_other_callers_credential(access_of, make_key, file):
    first, second = make_key("first"), make_key("second", write=("other",))
    access = access_of(keys_file=file)
    assert access.refusal(first, "orders") is None
    assert access.refusal(second, "other") is None
    mixed = first[: first.index(b"_first_")] + second[second.index(b"_second_") :]
    assert access.refusal(mixed, "other") is None
    assert access.refusal(mixed, "orders").status == 403
    swapped = b"Bearer es_first_" + second.rpartition(b"es_second_")[2]
    assert access.refusal(swapped, "orders").status == 401


# Changes of the key file


def test_a_new_key_counts_and_a_revoked_one_does_not_without_a_restart(access_of, make_key, file):
    old = make_key("old")
    access = access_of(keys_file=file)
    assert access.refusal(old, "orders") is None
    new = make_key("new")
    assert access.refusal(new, "orders").status == 401
    with key_file.changing(file) as keys:
        keys[0] = msgspec.structs.replace(keys[0], revoked=datetime.now(UTC))
    access.tick(5000.5)
    assert access.refusal(new, "orders") is None
    refusal = access.refusal(old, "orders")
    assert refusal.status == 401
    assert "has been revoked" in refusal.detail


@pytest.mark.parametrize("content", [b"", b'{"keys": [', None])
def test_a_broken_file_leaves_the_keys_and_warns_once(access_of, make_key, file, content):
    credential = make_key()
    access = access_of(keys_file=file)
    file.rename(file.with_name("whole"))
    if content is not None:
        file.write_bytes(content)
    with capture_logs() as logs:
        for tick in range(5):
            access.tick(5000 + tick / 2)
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "API keys stay as they were" in logs[0]["event"]
    assert access.refusal(credential, "orders") is None
    file.with_name("whole").rename(file)
    with key_file.changing(file) as keys:
        keys.clear()
    with capture_logs() as logs:
        access.tick(5003)
    assert [entry["event"] for entry in logs] == ["API keys taken"]
    assert access.refusal(credential, "orders").status == 401


def test_a_file_edited_in_place_counts_too(access_of, make_key, file):
    credential = make_key()
    access = access_of(keys_file=file)
    file.write_bytes(file.read_bytes().replace(b'"orders"\n', b'"others"\n'))
    os.utime(file, ns=(1, 1))
    access.tick(5001)
    assert access.refusal(credential, "others") is None


def test_a_start_without_a_usable_file_is_refused(access_of, file):
    with pytest.raises(InvalidSetting, match="is not there"):
        access_of(keys_file=file)
    file.write_bytes(b"{")
    with pytest.raises(InvalidSetting, match="is of no use"):
        access_of(keys_file=file)


# Rates


def test_a_key_over_its_rate_is_told_when_to_come_back(access_of, make_key, file, clocks):
    credential = make_key(events_per_s=2.0, burst=4)
    access = access_of(keys_file=file)
    assert [access.refusal(credential, "orders") for _ in range(4)] == [None] * 4
    refusal = access.refusal(credential, "orders")
    assert refusal.status == 429
    fields = dict(problem_answer(refusal).fields)
    assert fields[b"ratelimit-policy"] == b'"events";q=4;w=2;qu="events"'
    assert fields[b"ratelimit"] == b'"events";r=0;t=1'
    assert fields[b"retry-after"] == b"1"
    clocks.now_s += 0.5
    assert access.refusal(credential, "orders") is None
    assert access.refusal(credential, "orders").status == 429


def test_a_batch_costs_as_many_as_it_has(access_of, make_key, file, clocks):
    credential = make_key(events_per_s=10.0, burst=10)
    access = access_of(keys_file=file)
    assert access.refusal(credential, "orders", events=5) is None
    access.charge(credential, 25)
    refusal = access.refusal(credential, "orders")
    assert refusal.retry_after_s == 3
    clocks.now_s += 3
    assert access.refusal(credential, "orders") is None
    access.charge(b"Bearer unknown", 1)


def test_a_refused_topic_costs_nothing(access_of, make_key, file):
    credential = make_key(events_per_s=1.0, burst=1)
    access = access_of(keys_file=file)
    assert access.refusal(credential, "other").status == 403
    assert access.refusal(credential, "orders") is None


def test_each_process_takes_its_share(access_of, make_key, file):
    credential = make_key(events_per_s=8.0, burst=8)
    access = access_of(processes=4, keys_file=file)
    statuses = [access.refusal(credential, "orders") is None for _ in range(3)]
    assert statuses == [True, True, False]


def test_a_change_of_the_file_gives_no_key_a_new_burst(access_of, make_key, file):
    credential = make_key(events_per_s=1.0, burst=2)
    access = access_of(keys_file=file)
    assert access.refusal(credential, "orders", events=2) is None
    make_key("another")
    access.tick(5000.5)
    assert access.refusal(credential, "orders").status == 429


def test_all_spellings_of_a_key_share_its_rate(access_of, make_key, file):
    credential = make_key(events_per_s=1.0, burst=1)
    access = access_of(keys_file=file)
    assert access.refusal(credential, "orders") is None
    assert access.refusal(credential.replace(b"Bearer", b"X-Api-Key"), "orders").status == 429


# Tokens


def test_tokens_need_an_issuer_and_an_audience(access_of):
    for given in ({}, {"jwt_issuer": ISSUER}, {"jwt_audience": AUDIENCE}):
        with pytest.raises(InvalidSetting, match="needs --jwt-issuer and --jwt-audience"):
            access_of(jwt_jwks="https://login.example.com/keys", **given)


def test_a_token_writes_what_it_lists_until_it_ends(access_of, clocks):
    async def story(server):
        access = access_of(**tokens_from(server))
        credential = bearer(token())
        assert access.refusal(credential, "orders") is RESOLVE
        assert await access.admit(credential, "orders") is None
        assert access.refusal(credential, "orders") is None
        assert access.refusal(credential, "other").status == 403
        assert access.caller(credential).name == "token:orders-service"
        clocks.now_s += 89
        access.tick(clocks.now_s)
        assert access.refusal(credential, "orders") is None
        clocks.now_s += 1
        access.tick(clocks.now_s)
        refusal = access.refusal(credential, "orders")
        assert refusal.status == 401
        assert "has expired" in challenge(refusal)
        assert access._callers == {}

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_a_flood_of_unknown_key_ids_costs_one_fetch_and_no_memory(access_of, clocks):
    async def story(server):
        access = access_of(**tokens_from(server))
        flood = [access.admit(bearer(token(kid=f"k{number}")), "orders") for number in range(50)]
        refusals = await asyncio.gather(*flood)
        assert {refusal.status for refusal in refusals} == {401}
        for number in range(50):
            assert access.refusal(bearer(token(kid=f"x{number}")), "orders").status == 401
        assert server.asked == 1
        assert access._callers == {}
        assert access.refusal(bearer(token()), "orders") is None
        clocks.now_s += REFETCH_S
        assert access.refusal(bearer(token(kid="x")), "orders") is RESOLVE

    with publishing(public(EC_KEY, kid="one"), public(RSA_KEY, "RS256", kid="two")) as server:
        asyncio.run(story(server))


def test_a_rotated_key_is_taken_and_the_old_one_is_not(access_of, clocks):
    async def story(server):
        access = access_of(**tokens_from(server))
        old, new = bearer(token()), bearer(token(RSA_KEY, "RS256", kid="two"))
        assert await access.admit(old, "orders") is None
        server.content = key_set(public(RSA_KEY, "RS256", kid="two"))
        clocks.now_s += REFETCH_S
        assert await access.admit(new, "orders") is None
        refusal = access.refusal(old, "orders")
        assert refusal.status == 401
        assert "not known here" in refusal.detail
        assert server.asked == 2

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_tokens_cannot_be_checked_while_no_keys_can_be_fetched(access_of, clocks):
    async def story(server):
        access = access_of(**tokens_from(server))
        server.status = 500
        with capture_logs() as logs:
            refusal = await access.admit(bearer(token()), "orders")
        assert (refusal.status, refusal.retry_after_s) == (503, 10)
        assert refusal is not RESOLVE
        assert [entry["log_level"] for entry in logs] == ["warning"]
        server.status = 200
        clocks.now_s += REFETCH_S
        assert await access.admit(bearer(token()), "orders") is None

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_keys_and_tokens_go_side_by_side(access_of, make_key, file):
    async def story(server):
        credential = make_key()
        access = access_of(keys_file=file, **tokens_from(server))
        assert access.refusal(credential, "orders") is None
        assert await access.admit(bearer(token()), "orders") is None
        assert server.asked == 1

    with publishing(public(EC_KEY, kid="one")) as server:
        asyncio.run(story(server))


def test_a_token_says_nothing_where_only_keys_count(access_of, make_key, file):
    make_key()
    refusal = access_of(keys_file=file).refusal(bearer(token()), "orders")
    assert refusal.status == 401


def test_every_refusal_can_be_an_answer(access_of, make_key, file):
    credential = make_key(events_per_s=1.0, burst=1)
    access = access_of(keys_file=file)
    access.refusal(credential, "orders")
    for refusal in (
        RESOLVE,
        access.refusal(b"", "orders"),
        access.refusal(credential, "orders"),
        access.refusal(credential, "other"),
    ):
        assert isinstance(refusal, Problem)
        answer = problem_answer(refusal)
        assert answer.fields[: 1 + len(refusal.fields)][1:] == refusal.fields
