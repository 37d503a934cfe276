"""Running gateways do what their description says: schemathesis asks, with all its checks."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gateways import running_gateway
from http_bytes import exchange, request, status

from eventstream.errors import Permanent
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings
from program import PROGRAM

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = os.environ.get("OPENAPI")
"""How many random requests each operation gets, beside those that cover its parameters; `make
openapi` sets it. Without it they are few, and the same each time."""


def check(gateway, folder, key=None):
    """Run every check there is, in every phase: examples, coverage, chance, and by links."""
    folder.mkdir(parents=True)
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "what_openapi_cannot_say.py")}
    if key is not None:
        environment["EVENTSTREAM_CHECK_KEY"] = key
    return subprocess.run(
        [
            SCHEMATHESIS,
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            f"{gateway.url}/openapi.json",
            "--checks=all",
            *(("--max-examples=3", "--seed=1") if EXAMPLES is None else (f"-n{EXAMPLES}",)),
            "--no-shrink",
            "--output-sanitize=false",
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def make_key(file):
    command = [PROGRAM, "keys", "create", "checker", f"--keys-file={file}", "--json"]
    for right in ("write", "read", "manage"):
        command += [f"--{right}", "*"]
    made = subprocess.run(command, capture_output=True, check=True)
    return json.loads(made.stdout)["secret"]


def publish(gateway, key, topic):
    """Publish an event: a stream of old events then has one to begin with."""
    text = b'{"message": "Hello, Kafka!"}'
    told = request(f"/publish/{topic}", text, Authorization=f"Bearer {key}")
    assert status(exchange(gateway.address, told)) == 200


def make_topics(kafka):
    admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
    for name in ("events", "t"):
        if name not in admin.topics():
            with contextlib.suppress(Permanent):  # another worker of this run was faster
                admin.create_topic(name, 3)


@pytest.mark.parametrize("lane", ["--fast-lane", "--no-fast-lane"])
def test_a_gateway_that_knows_its_callers_does_what_it_says(kafka, tmp_path, lane):
    make_topics(kafka)
    keys, schemas = tmp_path / "keys.json", tmp_path / "schemas"
    schemas.mkdir()
    key = make_key(keys)
    options = (f"--keys-file={keys}", f"--schemas={schemas}", lane)
    with running_gateway(kafka, tmp_path / "home", *options) as gateway:
        for topic in ("events", "t"):
            publish(gateway, key, topic)
        told = check(gateway, tmp_path / "check", key)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Traceback" not in gateway.log.read_text()
    assert re.search(r"Tested: 29\b", told.stdout), told.stdout
