"""HTTP/1.1 by the byte, for tests that must see every byte."""

import contextlib
import re
import socket

import pytest

TIMEOUT_S = 15


def request(target="/publish", body=b"", content_type="application/json", method="POST", **fields):
    head = [f"{method} {target} HTTP/1.1", "Host: test"]
    if content_type is not None:
        head.append(f"Content-Type: {content_type}")
    head += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if "Content_Length" not in fields and "Transfer_Encoding" not in fields:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Client:
    """One connection."""

    def __init__(self, address, timeout_s=TIMEOUT_S, *, small_buffers=False):
        self._socket = socket.socket()
        if small_buffers:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(timeout_s)
        self._socket.connect(address)
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def send_what_it_takes(self, data):
        """Send bytes to a server that may answer and close before it has read them all."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def send_until_cut(self, data, at_most):
        """Send the same again and again until the server is gone; it may take `at_most` bytes."""
        for _ in range(at_most // len(data)):
            self._socket.sendall(data)
        pytest.fail(f"the server took {at_most} bytes, and all the time not one answer was read")

    def shutdown(self):
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self):
        """Read one whole answer; empty when the server has closed."""
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return b""
        head, _, _ = self._rest.partition(b"\r\n\r\n")
        declared = re.search(rb"(?i)content-length: (\d+)", head)
        length = 0 if head.startswith(b"HTTP/1.1 204 ") else int(declared[1])
        while len(self._rest) < len(head) + 4 + length:
            assert self._more(), "the server closed in the middle of an answer"
        end = len(head) + 4 + length
        answer, self._rest = self._rest[:end], self._rest[end:]
        return answer

    def until(self, text):
        """Read until some text has come; return what came up to its end."""
        while text not in self._rest:
            assert self._more(), f"the server closed before {text!r} came"
        found, _, self._rest = self._rest.partition(text)
        return found + text

    def _more(self):
        data = self._socket.recv(65536)
        self._rest += data
        return data


def exchange(address, data):
    """Send bytes on a new connection and read one answer."""
    with Client(address) as client:
        client.send(data)
        return client.answer()


def status(answer):
    return int(answer.split(b" ", 2)[1])


def body(answer):
    return answer.partition(b"\r\n\r\n")[2]
