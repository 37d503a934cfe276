"""An ASGI application on a port of its own, and requests to it."""

import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass
from typing import Any

import uvicorn

TIMEOUT_S = 30


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    json: Any


@contextlib.contextmanager
def served(app):
    """Serve; give a function that asks for a path."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()

    def ask(path, method="GET"):
        connection = http.client.HTTPConnection(*listening.getsockname(), timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Host": "host:8080"})
            response = connection.getresponse()
            body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in headers.get("content-type", "")
        return Answer(response.status, headers, json.loads(body) if body and is_json else None)

    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_S)
