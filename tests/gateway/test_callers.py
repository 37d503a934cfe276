"""Who may write, asked of both lanes."""

import json
import ssl
import subprocess
import urllib.request

import pytest
from gateways import running_gateway
from http_bytes import Client, body, exchange, request, status

from certificates import Authority
from program import PROGRAM
from records import read_log
from waiting import wait_until


def keys(folder, *arguments):
    command = [PROGRAM, "keys", *arguments, f"--keys-file={folder / 'keys.json'}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("callers")


@pytest.fixture(scope="module")
def secrets(folder):
    return {
        "any": keys(folder, "create", "any", "--write=*"),
        "other": keys(folder, "create", "other", "--write=other-*"),
        "slow": keys(folder, "create", "slow", "--write=*", "--rate=0.01", "--burst=3"),
        "revoked": keys(folder, "create", "revoked", "--write=*"),
    }


@pytest.fixture(scope="module", params=["fast", "asgi"])
def gateway(request, kafka, folder, secrets):
    del secrets  # they are made before it starts
    lane = () if request.param == "fast" else ("--no-fast-lane",)
    with running_gateway(
        kafka, folder / request.param, f"--keys-file={folder / 'keys.json'}", *lane
    ) as running:
        yield running


def publish(gateway, topic, secret=None, data=b"1", content_type="application/json", **fields):
    if secret is not None:
        fields["Authorization"] = f"Bearer {secret}"
    target = f"/publish/{topic}"
    return exchange(gateway.address, request(target, data, content_type, **fields))


def problem(answer):
    return json.loads(body(answer))["type"].removeprefix("urn:eventstream:problem:")


def test_a_known_key_writes_and_nobody_else_does(gateway, kafka, topic, secrets):
    assert status(publish(gateway, topic, secrets["any"], b'"good"')) == 200
    assert status(publish(gateway, topic, data=b'"key"', X_Api_Key=secrets["any"])) == 200
    nobody = publish(gateway, topic)
    assert (status(nobody), problem(nobody)) == (401, "not-authenticated")
    assert b'www-authenticate: Bearer realm="eventstream"\r\n' in nobody
    for secret in ("nonsense", secrets["any"][:-1] + "x", "es_any_" + "A" * 43):
        answer = publish(gateway, topic, secret)
        assert (status(answer), problem(answer)) == (401, "not-authenticated")
        assert secret.encode() not in answer
    wrong = publish(gateway, topic, secrets["other"])
    assert (status(wrong), problem(wrong)) == (403, "topic-not-allowed")
    assert read_log(kafka, topic) == [(None, b'"good"'), (None, b'"key"')]


def test_a_body_is_not_read_of_a_caller_who_may_not_send_it(gateway, topic):
    with Client(gateway.address) as client:
        client.send(request(f"/publish/{topic}", b"", Content_Length="9000000"))
        assert status(client.answer()) == 401


def test_a_revoked_key_is_refused_soon(gateway, folder, topic, secrets):
    fresh = keys(folder, "create", f"fresh-{gateway.port}", "--write=*")
    wait_until(lambda: status(publish(gateway, topic, fresh)) == 200, 5, "the key is known")
    keys(folder, "revoke", f"fresh-{gateway.port}")
    wait_until(lambda: status(publish(gateway, topic, fresh)) == 401, 5, "the key is revoked")
    assert status(publish(gateway, topic, secrets["any"])) == 200


def test_a_rate_counts_events_and_its_end_is_answered_429(gateway, kafka, make_topic, secrets):
    topic = make_topic(name=f"rate-{gateway.port}")
    lines = publish(gateway, topic, secrets["slow"], b"1\n2\n3\n4\n", "application/x-ndjson")
    assert status(lines) == 200
    answer = publish(gateway, topic, secrets["slow"])
    assert (status(answer), problem(answer)) == (429, "quota-exceeded")
    assert b'ratelimit: "events";r=0;t=' in answer
    assert b"ratelimit-policy: " in answer
    assert b"retry-after: " in answer
    assert len(read_log(kafka, topic)) == 4


def test_no_secret_gets_into_the_log(gateway, secrets):
    text = gateway.log.read_text()
    assert not [name for name, secret in secrets.items() if secret in text]


def test_pages_of_other_origins_need_to_be_named(kafka, tmp_path, topic):
    page = {"Origin": "https://app.example.com"}
    with running_gateway(
        kafka, tmp_path / "cors", "--cors-origins=https://app.example.com"
    ) as gateway:
        asked = request(
            f"/publish/{topic}",
            method="OPTIONS",
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="content-type, ce-id",
            **page,
        )
        with Client(gateway.address) as client:
            client.send(asked.replace(b"Content-Length: 0\r\n", b""))
            preflight = client.answer()
        good = publish(gateway, topic, **page)
        bad = publish(gateway, topic, Origin="https://evil.example.com")
        plain = publish(gateway, topic)
    assert status(preflight) == 204
    assert b"ce-id" in preflight
    for answer in (preflight, good):
        assert b"access-control-allow-origin: https://app.example.com\r\n" in answer
    assert (status(good), status(bad), problem(bad)) == (200, 403, "origin-not-allowed")
    assert b"access-control-allow-origin" not in bad + plain
    assert b"vary: origin\r\n" in plain
    assert len(read_log(kafka, topic)) == 2


def test_other_machines_are_not_served_unprotected(run, kafka):
    done = run("gateway", "--host=0.0.0.0", f"--bootstrap-servers={kafka.bootstrap_servers}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--keys-file" in done.stderr
    assert "--insecure" in done.stderr


def test_both_lanes_speak_tls(kafka, tmp_path, topic):
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    context = ssl.create_default_context(cafile=authority.file)
    with running_gateway(
        kafka, tmp_path / "tls", f"--tls-cert={cert}", f"--tls-key={key}"
    ) as gateway:
        for method, data in (("POST", b"1"), ("POST", b"[" + b"1," * 300_000 + b"1]")):
            ask = urllib.request.Request(
                f"https://localhost:{gateway.port}/publish/{topic}", data, method=method
            )
            ask.add_header("Content-Type", "application/json")
            if len(data) > 10:
                ask.add_header("Expect", "100-continue")
            with urllib.request.urlopen(ask, context=context) as answer:
                assert answer.status == 200
    assert len(read_log(kafka, topic)) == 2
