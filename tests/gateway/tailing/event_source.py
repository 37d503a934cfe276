"""A client of event streams, as the HTML standard describes it."""

import codecs
import contextlib
import http.client
import json
import re
import socket
import threading
from dataclasses import dataclass, field

from waiting import wait_until

TIMEOUT_S = 30


@dataclass
class Dispatched:
    """What a browser would dispatch."""

    type: str
    data: str
    last_event_id: str

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def place(self):
        return self.json["partition"], self.json["offset"]


@dataclass
class Interpreter:
    """HTML standard, 9.2.6: "Interpreting an event stream"."""

    dispatched: list[Dispatched] = field(default_factory=list)
    last_event_id: str = ""
    retry_ms: int | None = None
    comments: int = 0

    def __post_init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._is_first = True
        self._reset()
        self._id = ""

    def _reset(self):
        self._data = ""
        self._type = ""

    def feed(self, data):
        self._text += self._decoder.decode(data)
        if self._is_first and self._text:
            self._text = self._text.removeprefix("\ufeff")
            self._is_first = False
        while found := re.match(r"([^\r\n]*)(\r\n|\n|\r(?!$))", self._text):
            self._text = self._text[found.end() :]
            self._line(found[1])

    def _line(self, line):
        if not line:
            self._dispatch()
        elif line.startswith(":"):
            self.comments += 1
        else:
            name, _, value = line.partition(":")
            self._field(name, value.removeprefix(" "))

    def _field(self, name, value):
        if name == "event":
            self._type = value
        elif name == "data":
            self._data += value + "\n"
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry_ms = int(value)

    def _dispatch(self):
        self.last_event_id = self._id
        if self._data:
            self.dispatched.append(
                Dispatched(self._type or "message", self._data.removesuffix("\n"), self._id)
            )
        self._reset()


class EventSource:
    """One connection, read in a thread of its own; it does not connect again by itself."""

    def __init__(self, port, target, last_event_id=None, *, receive_buffer=None):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        if receive_buffer is not None:
            self._connection.sock = small = socket.socket()
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            small.settimeout(TIMEOUT_S)
            small.connect(("127.0.0.1", port))
        fields = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        self._connection.request("GET", target, headers=fields)
        self.response = self._connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.stream = Interpreter()
        self.ended = threading.Event()
        self._may_read = threading.Event()
        self._may_read.set()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        self._thread.start()
        wait_until(lambda: self.stream.retry_ms, TIMEOUT_S, "the stream's first lines")
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Break the connection off, and wait until nothing is read any more."""
        if self._connection.sock is not None:
            self._shut(self._connection.sock)
        self._shut_response()
        self._may_read.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT_S)
        self._connection.close()

    def _shut_response(self):
        raw = getattr(self.response.fp, "raw", None)
        if raw is not None:
            self._shut(raw._sock)

    def _shut(self, sock):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def pause(self):
        self._may_read.clear()

    def go_on(self):
        self._may_read.set()

    def _read(self):
        try:
            while True:
                self._may_read.wait()
                data = self.response.read1(65536)
                if not data:
                    return
                self.stream.feed(data)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            self.ended.set()

    @property
    def last_event_id(self):
        return self.stream.last_event_id

    def of_type(self, kind):
        return [each for each in [*self.stream.dispatched] if each.type == kind]

    @property
    def events(self):
        return self.of_type("message")

    @property
    def places(self):
        return [event.place for event in self.events]

    def wait_for_end_or(self, count, kind="message"):
        wait_until(
            lambda: len(self.of_type(kind)) >= count or self.ended.is_set(),
            TIMEOUT_S,
            f"{count} of {kind}",
        )

    def wait_for(self, count, kind="message"):
        self.wait_for_end_or(count, kind)
        found = self.of_type(kind)
        assert len(found) >= count, f"the stream ended: {self.stream.dispatched[-3:]}"
        return found
