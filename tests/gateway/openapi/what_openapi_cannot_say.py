"""What OpenAPI 3.1 cannot say of the gateway's requests, for schemathesis; it loads this file.

A Parameter Object (specification 3.1.1, section 4.8.12) stands for itself: that one excludes
another, or goes with some bodies only, has no words there. So requests that are meant to be valid
are made so here. The refusals of the others have tests of their own (`tests/gateway/`).
"""

import json
import os

import schemathesis
from schemathesis.core.parameters import ParameterLocation

NDJSON = "application/x-ndjson"
CLOUDEVENTS = {"application/cloudevents+json", "application/cloudevents-batch+json"}
JSON_EVENTS = {"application/json", NDJSON}
KEYS = (("query", "key-from"), ("query", "key"), ("headers", "Event-Key"))


@schemathesis.auth()
class Key:
    """The one way in which a request says who sends it (RFC 6750, section 2)."""

    def get(self, _case, _context):
        return os.environ.get("EVENTSTREAM_CHECK_KEY")

    def set(self, case, key, _context):
        if key is not None:
            case.headers.pop("X-Api-Key", None)
            case.headers["Authorization"] = f"Bearer {key}"


@schemathesis.serializer(NDJSON)
def lines(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(_context, case, **_):
    if case.operation.label == "GET /events/{topic}":
        let_it_end(case)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        make_valid(case)


def let_it_end(case):
    """Read one old event. Where else a stream may begin, HEAD is asked, which gives none."""
    case.query.setdefault("from", "earliest")
    case.query.setdefault("limit", 1)
    case.query.pop("key", None)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        case.query = {"from": "earliest", "limit": 1}
        case.headers.pop("Last-Event-ID", None)


def make_valid(case):
    if case.media_type in CLOUDEVENTS:
        case.body = without_fractions(case.body)
    if case.media_type == NDJSON and not is_ndjson(case.body):
        case.body = json.dumps(str(case.body)) + "\n"
    if case.media_type not in JSON_EVENTS:
        case.query.pop("key-from", None)
        case.query.pop("timestamp-from", None)
    given = [(place, name) for place, name in KEYS if name in (getattr(case, place) or {})]
    for place, name in given[1:]:
        getattr(case, place).pop(name)
    if "Content-Encoding" in case.headers:
        # The body is sent as it is, in whichever coding it is said to be.
        case.headers["Content-Encoding"] = "identity"


def without_fractions(value):
    """Write an integer attribute without `.0`, which JSON Schema lets it have.

    CloudEvents' JSON format, section 2.2, permits "only the integer component".
    """
    if isinstance(value, list):
        return [without_fractions(each) for each in value]
    return {
        name: int(each) if isinstance(each, float) and each.is_integer() else each
        for name, each in value.items()
    }


def is_ndjson(text):
    try:
        return bool([json.loads(line) for line in text.splitlines()])
    except ValueError:
        return False


@schemathesis.check
def a_report_tells_what_is_invalid(_context, response, case):
    """See that v3 does not report an invalid record as written: its status is always 200."""
    if not case.operation.label.endswith("/records") or response.status_code != 200:
        return
    reports = [json.loads(line) for line in response.text.splitlines()]
    assert reports
    if case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY):
        assert any(report["error_code"] >= 400 for report in reports), reports
