"""API keys: their secrets, their file, and the command that keeps it."""

import base64
import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.errors import InvalidSetting
from eventstream.gateway.access import key_file, keys
from eventstream.gateway.access.credentials import SEVERAL, credential_of, secret_in
from eventstream.gateway.access.keys import Key, digest, find, new_secret

CREATED = datetime(2026, 1, 2, tzinfo=UTC)


def key(name="orders", secret="", **members):
    return Key(name=name, sha256=digest(secret), created=CREATED, **members)


def test_a_secret_names_its_key_and_has_256_random_bits():
    first, second = new_secret("orders"), new_secret("orders")
    assert first != second
    random = first.removeprefix("es_orders_")
    assert len(base64.urlsafe_b64decode(random + "=")) == 32


def test_a_secret_finds_its_key_and_nothing_else_does():
    secret, other = new_secret("orders"), new_secret("orders")
    known = {"orders": key(secret=secret)}
    assert find(known, secret) is known["orders"]
    for wrong in (other, secret[:-1], secret + "a", new_secret("nobody"), "", "es_", "es_orders_"):
        assert find(known, wrong) is None


@given(
    st.builds(
        lambda **members: key(**{name: value for name, value in members.items() if value}),
        write=st.lists(st.sampled_from(["orders", "pay.*", "*"])).map(tuple),
        read=st.lists(st.just("a")).map(tuple),
        events_per_s=st.floats(0.1, 1e6),
        burst=st.integers(1, 1000),
        revoked=st.sampled_from([None, CREATED]),
    )
)
def test_what_is_written_is_read(one):
    assert keys.decode(keys.encode([one])) == (one,)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a file of API keys"),
        (b"[]", "not a file of API keys"),
        (b"\xff", "not a file of API keys"),
        (b"[" * 100_000, "not a file of API keys"),
        (b'{"keys":[],"version":2}', "version 2"),
        (b'{"keys":[{"name":"a","sha256":"x","created":"2026-01-02T00:00:00Z"}]}', "hexadecimal"),
        (keys.encode([key(), key()]), "'orders' is there twice"),
        (keys.encode([key("Or_ders")]), "a key's name is"),
        (keys.encode([key(write=("a*b",))]), r"'a\*b' is neither"),
        (keys.encode([key(events_per_s=0.0)]), "no rate"),
        (keys.encode([key(burst=5)]), "belongs to a rate"),
        (b'{"keys":[],"kyes":[]}', "kyes"),
    ],
)
def test_what_means_nothing_is_refused_in_a_sentence(content, sentence):
    with pytest.raises(InvalidSetting, match=sentence):
        keys.decode(content)


def test_the_file_is_for_its_owner_alone_and_holds_no_secret(tmp_path):
    file = tmp_path / "deeper" / "keys.json"
    secret = new_secret("orders")
    with key_file.changing(file) as found:
        found.append(key(secret=secret))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    assert key_file.read(file) == (key(secret=secret),)


def test_keys_made_at_once_are_all_kept(tmp_path):
    file = tmp_path / "keys.json"
    start = threading.Barrier(8)

    def add(number):
        start.wait()
        with key_file.changing(file) as found:
            found.append(key(f"key-{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert {one.name for one in key_file.read(file)} == {f"key-{number}" for number in range(8)}


def test_a_change_that_fails_leaves_the_file_and_nothing_else(tmp_path):
    file = tmp_path / "keys.json"
    with key_file.changing(file) as found:
        found.append(key())
    before = file.read_bytes()

    def fail():
        with key_file.changing(file) as found:
            found.clear()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json", "keys.json.lock"]


def test_a_link_to_the_file_stays_a_link(tmp_path):
    real = tmp_path / "real.json"
    link = tmp_path / "keys.json"
    link.symlink_to(real)
    with key_file.changing(link) as found:
        found.append(key())
    assert link.is_symlink()
    assert key_file.read(real) == (key(),)


def test_a_file_that_everybody_may_change_is_refused(tmp_path):
    file = tmp_path / "keys.json"
    file.write_bytes(keys.encode([key()]))
    file.chmod(0o646)
    with pytest.raises(InvalidSetting, match="Every user of this machine may change"):
        key_file.read(file)


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path):
    with pytest.raises(InvalidSetting, match="eventstream keys create"):
        key_file.read(tmp_path / "keys.json")


def test_each_write_can_be_told_from_the_one_before(tmp_path):
    file = tmp_path / "keys.json"
    assert key_file.state(file) is None
    states = set()
    for number in range(20):
        with key_file.changing(file) as found:
            found[:] = [key(f"key-{number % 10}")]
        states.add(key_file.state(file))
    assert len(states) == 20


# What a request brings


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ([(b"authorization", b"Bearer es_a_b")], "es_a_b"),
        ([(b"authorization", b"bearer es_a_b ")], "es_a_b"),
        ([(b"x-api-key", b"es_a_b")], "es_a_b"),
        ([(b"authorization", b"Basic " + base64.b64encode(b"a:es_a_b"))], "es_a_b"),
        ([(b"authorization", b"Basic " + base64.b64encode(b"other:es_a_b"))], None),
        ([(b"authorization", b"Basic es_a_b")], None),
        ([(b"authorization", b"Digest es_a_b")], None),
        ([(b"authorization", b"es_a_b")], None),
        ([(b"authorization", b"")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", "Bearer ä".encode())], None),
        ([(b"authorization", b"Bearer " + b"a" * 8193)], None),
        ([(b"x-api-key", b"")], None),
    ],
)
def test_the_secret_is_taken_out_of_a_credential(headers, secret):
    credential = credential_of(headers)
    assert credential
    assert secret_in(credential) == secret


def test_two_credentials_are_not_one():
    one, other = (b"authorization", b"Bearer a"), (b"x-api-key", b"a")
    assert credential_of([]) == b""
    for headers in ([one, other], [one, one], [other, other]):
        assert credential_of(headers) == SEVERAL


@given(st.lists(st.tuples(st.sampled_from([b"authorization", b"x-api-key"]), st.binary())))
def test_any_credential_is_a_secret_or_none(headers):
    secret = secret_in(credential_of(headers))
    assert secret is None or isinstance(secret, str)


# The command


def test_a_key_is_made_listed_and_revoked(run, tmp_path):
    file = tmp_path / "keys.json"
    where = f"--keys-file={file}"
    made = run("keys", "create", "shop", "--write=shop.*", "--rate=5", "--burst=9", where)
    assert made.returncode == 0
    secret = made.stdout.strip()
    assert find({one.name: one for one in key_file.read(file)}, secret).write == ("shop.*",)

    listed = run("keys", "list", "--json", EVENTSTREAM_KEYS_FILE=str(file))
    (shown,) = json.loads(listed.stdout)
    assert (shown["name"], shown["events_per_s"], shown["burst"]) == ("shop", 5, 9)
    assert shown["revoked"] is None
    assert secret not in listed.stdout
    assert shown.keys().isdisjoint({"sha256"})
    assert "shop.*" in run("keys", "list", where).stdout

    assert run("keys", "revoke", "shop", where).returncode == 0
    (revoked,) = key_file.read(file)
    assert revoked.revoked is not None
    again = run("keys", "revoke", "shop", where)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("There is no key 'shop'")
    taken = run("keys", "create", "shop", "--write=a", where)
    assert (taken.returncode, taken.stdout) == (1, "")
    assert "choose another name" in taken.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "shop", "--write=a"), "give --keys-file"),
        (("create", "shop", "--keys-file=k"), "give --write, --read or --manage"),
        (("create", "Shop", "--write=a", "--keys-file=k"), "Key 'Shop': a key's name is"),
        (("create", "shop", "--write=a*b", "--keys-file=k"), "'a*b' is neither"),
        (("create", "shop", "--write=a", "--rate=-1", "--keys-file=k"), "no rate"),
        (("create", "shop", "--write=a", "--keys-file=/proc/k"), "cannot be written"),
        (("list", "--keys-file=k"), "is not there"),
        (("revoke", "shop", "--keys-file=k"), "is not there"),
    ],
)
def test_the_command_refuses_in_one_sentence(run, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    asked = run("keys", *arguments)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert sentence in asked.stderr
    assert asked.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_keys_hash_is_all_that_its_repr_could_tell():
    secret = new_secret("orders")
    assert secret not in repr(key(secret=secret))
    assert secret not in msgspec.json.encode(key(secret=secret)).decode()
