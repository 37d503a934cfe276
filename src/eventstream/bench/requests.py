"""What a request looks like in each format the gateway takes; pure.

Keys travel as each format has them: in a header, in an attribute, beside the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_OK = 200


class Form(NamedTuple):
    """One format.

    Attributes:
        target: The request target; `{topic}` and `{cluster}` are filled in.
        content_type: The body's type.
        carry: Makes header lines and a body of an event's number, key and value.
        fields: Header lines that every request has.
        failure: Finds what an answer's content says went wrong, or `None`.
    """

    target: str
    content_type: str
    carry: Callable[[int, bytes | None, bytes], tuple[bytes, bytes]]
    fields: str = ""
    failure: Callable[[bytes], str | None] = lambda _: None


def _native(_: int, key: bytes | None, value: bytes) -> tuple[bytes, bytes]:
    return b"" if key is None else b"Event-Key: %b\r\n" % key, value


def _binary_event(number: int, key: bytes | None, value: bytes) -> tuple[bytes, bytes]:
    if key is None:
        return b"ce-id: %d\r\n" % number, value
    return b"ce-id: %d\r\nce-partitionkey: %b\r\n" % (number, key), value


def _structured_event(number: int, key: bytes | None, value: bytes) -> tuple[bytes, bytes]:
    of_key = b"" if key is None else b'"partitionkey":"%b",' % key
    return b"", (
        b'{"specversion":"1.0","id":"%d","source":"/bench","type":"bench.event",%b'
        b'"datacontenttype":"application/json","data":%b}' % (number, of_key, value)
    )


def _v2_records(_: int, key: bytes | None, value: bytes) -> tuple[bytes, bytes]:
    of_key = b"" if key is None else b'"key":"%b",' % key
    return b"", b'{"records":[{%b"value":%b}]}' % (of_key, value)


def _v3_record(_: int, key: bytes | None, value: bytes) -> tuple[bytes, bytes]:
    of_key = b"" if key is None else b'"key":{"type":"STRING","data":"%b"},' % key
    return b"", b'{%b"value":{"type":"JSON","data":%b}}' % (of_key, value)


def _v2_failure(content: bytes) -> str | None:
    for offset in msgspec.json.decode(content)["offsets"]:
        if offset.get("error_code") is not None:
            return str(offset.get("error"))
    return None


def _v3_failure(content: bytes) -> str | None:
    report = msgspec.json.decode(content)
    return None if report["error_code"] == _OK else str(report.get("message"))


_EVENT = "ce-specversion: 1.0\r\nce-source: /bench\r\nce-type: bench.event\r\n"
FORMS = {
    "json": Form("/publish/{topic}", "application/json", _native),
    "ndjson": Form("/publish/{topic}", "application/x-ndjson", _native),
    "cloudevents-binary": Form("/publish/{topic}", "application/json", _binary_event, _EVENT),
    "cloudevents-structured": Form(
        "/publish/{topic}", "application/cloudevents+json", _structured_event
    ),
    "v2-json": Form(
        "/topics/{topic}",
        "application/vnd.kafka.json.v2+json",
        _v2_records,
        "Accept: application/vnd.kafka.v2+json\r\n",
        _v2_failure,
    ),
    "v3-json": Form(
        "/v3/clusters/{cluster}/topics/{topic}/records",
        "application/json",
        _v3_record,
        failure=_v3_failure,
    ),
}
"""By the name a report calls it."""


class Requests:
    """Writes the requests of one format to one topic.

    Args:
        form: The format.
        topic: Where events go.
        cluster: The Kafka cluster's id, which some targets name.
        api_key: What the caller shows; none when empty.
    """

    def __init__(self, form: Form, topic: str, *, cluster: str = "", api_key: str = "") -> None:
        target = form.target.format(topic=topic, cluster=cluster)
        caller = f"Authorization: Bearer {api_key}\r\n" if api_key else ""
        self._carry = form.carry
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n{caller}"
            f"{form.fields}Content-Type: {form.content_type}\r\n"
        ).encode()

    def write(self, number: int, key: bytes | None, value: bytes) -> bytes:
        """Write the request for one event."""
        fields, body = self._carry(number, key, value)
        return b"%bContent-Length: %d\r\n%b\r\n%b" % (self._head, len(body), fields, body)


def refusal(form: Form, status: int, content: bytes) -> str | None:
    """Say why an answer does not acknowledge its event, or `None` when it does."""
    if status != _OK:
        return f"answered {status}: {content[:300].decode(errors='replace').strip()}"
    failed = form.failure(content)
    return None if failed is None else f"answered {status}, but its record failed: {failed}"
