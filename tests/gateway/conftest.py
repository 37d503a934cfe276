"""The two lanes, side by side."""

import contextlib

import pytest
from gateways import running_gateway

from eventstream.errors import Permanent
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings


@pytest.fixture(scope="session")
def gateways(kafka, tmp_path_factory):
    """The two lanes, side by side: `fast` and `asgi`."""
    folder = tmp_path_factory.mktemp("gateways")
    admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
    if "events" not in admin.topics():
        with contextlib.suppress(Permanent):  # another worker of this run was faster
            admin.create_topic("events", 3)
    small = ("--max-body-bytes=300000", "--max-record-bytes=100000", "--max-head-bytes=4096")
    with (
        running_gateway(kafka, folder / "fast", *small) as fast,
        running_gateway(kafka, folder / "asgi", "--no-fast-lane", *small) as asgi,
    ):
        yield {"fast": fast, "asgi": asgi}


@pytest.fixture(params=["fast", "asgi"])
def gateway(request, gateways):
    return gateways[request.param]
