"""A server of event streams and nothing else, as a process of its own."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from eventstream.gateway.patience import PatientProtocol
from eventstream.gateway.problems import Problem
from eventstream.gateway.tailing import feed, feeds
from eventstream.gateway.tailing.endpoint import EventsEndpoint
from eventstream.gateway.tailing.feed import LOOK_INTERVAL_S
from eventstream.gateway.tailing.feeds import REST_S
from eventstream.settings import KafkaSettings, TailingSettings


@dataclass
class Serving:
    process: subprocess.Popen
    port: int

    def get(self, target, method="GET", **fields):
        """Get an answer that is no stream."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, target, headers=fields)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body) if body else None

    @property
    def state(self):
        return self.get("/state")[1]

    def kill(self):
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def serving(bootstrap_servers, rest_s=REST_S, look_s=LOOK_INTERVAL_S, **settings):
    job = json.dumps(
        {
            "kafka": bootstrap_servers,
            "rest_s": rest_s,
            "look_s": look_s,
            "settings": settings,
        }
    )
    with subprocess.Popen(
        [sys.executable, __file__, job], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line, "the server did not start"
            yield Serving(process, int(line))
        finally:
            process.terminate()
            process.wait(20)


class Server(uvicorn.Server):
    """Ends the streams when it begins to stop, as a gateway does."""

    def __init__(self, config, endpoint_of):
        super().__init__(config)
        self._endpoint_of = endpoint_of

    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    async def shutdown(self, sockets=None):
        self._endpoint_of().end_streams()
        await super().shutdown(sockets)


def may_read(request):
    if request.headers.get("x-refused"):
        return Problem(403, "forbidden", f"No {request.path_params['topic']} for you.")
    return None


def main():
    job = json.loads(sys.argv[1])
    feeds.REST_S, feed.LOOK_INTERVAL_S = job["rest_s"], job["look_s"]
    kafka = KafkaSettings(bootstrap_servers=job["kafka"])
    endpoints = []

    @contextlib.asynccontextmanager
    async def lifespan(_):
        endpoint = EventsEndpoint(kafka, TailingSettings(**job["settings"]), may_read)
        endpoints.append(endpoint)
        yield
        await endpoint.stop()

    async def events(scope, receive, send):
        await endpoints[0](scope, receive, send)

    class Events:
        __call__ = staticmethod(events)

    async def state(_):
        return JSONResponse(
            {
                "samples": {
                    sample.metric + "".join(sample.labels): sample.value
                    for sample in endpoints[0].samples()
                },
                "readers": sum(t.name.startswith("events-") for t in threading.enumerate()),
                "cpu_s": sum(os.times()[:2]),
            }
        )

    app = Starlette(
        routes=[Route("/events/{topic}", Events(), methods=["GET"]), Route("/state", state)],
        lifespan=lifespan,
    )
    config = uvicorn.Config(
        app,
        http=partial(PatientProtocol, stall_s=job["settings"].get("events_stall_s", 30.0) + 1.5),
        port=0,
        loop="uvloop",
        log_level="warning",
        lifespan="on",
    )
    Server(config, lambda: endpoints[0]).run()


if __name__ == "__main__":
    main()
