"""How answers are framed."""

import asyncio

import pytest
from uvicorn.server import ServerState

from eventstream.gateway.answers import JSON_FIELDS, QUEUED_FIELDS, Answer
from eventstream.gateway.lane import FastLane
from eventstream.gateway.targets.reading import Targets
from eventstream.settings import GatewaySettings


class Quiet:
    def check_time(self, **_):
        pass


async def framed(answers):
    lane = FastLane(GatewaySettings(), None, Targets("events"), ((b"x", b"y"),))
    lane.join(Quiet(), ServerState())
    return [lane.frame(answer, keep_alive) for answer, keep_alive in answers]


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize(
    ("status", "fields", "first"),
    [
        (200, JSON_FIELDS, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"),
        (
            202,
            QUEUED_FIELDS,
            b"HTTP/1.1 202 Accepted\r\n%b: %b\r\n%b: %b\r\n"
            % (b"content-type", b"application/json", b"preference-applied", b"respond-async"),
        ),
        (207, JSON_FIELDS, b"HTTP/1.1 207 Multi-Status\r\ncontent-type: application/json\r\n"),
    ],
)
def test_each_answer_is_framed_with_its_own_length_whatever_went_before(
    status, fields, first, keep_alive
):
    bodies = [b"", b"x", b"y", b"x" * 10, b"y" * 10, b"x" * 5000]
    kept = [(Answer(200, JSON_FIELDS, body), True) for body in bodies]
    asked = [(Answer(status, fields, body), keep_alive) for body in bodies]
    frames = asyncio.run(framed(kept + asked))[len(kept) :]
    close = b"" if keep_alive else b"connection: close\r\n"
    assert frames == [
        b"%bx: y\r\ncontent-length: %d\r\n%b\r\n%b" % (first, len(body), close, body)
        for body in bodies
    ]
