"""Targets and headers to routes."""

import pytest

from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.problems import Rejected
from eventstream.gateway.routes import Route
from eventstream.gateway.targets.native import native_route as route

DEFAULT = "events"


def test_publish_without_a_name_goes_to_the_default_topic():
    assert route(b"/publish", b"", [], DEFAULT) == Route(DEFAULT, RAW)
    assert route(b"/publish/", b"", [], DEFAULT).topic == DEFAULT


def test_the_path_names_the_topic():
    assert route(b"/publish/or%64ers", b"", [], DEFAULT).topic == "orders"


@pytest.mark.parametrize(
    ("query", "headers", "key"),
    [
        (b"key=a", [], b"a"),
        (b"x=1&key=%C3%A9+%20b", [], "é  b".encode()),
        (b"", [(b"event-key", b"user-7")], b"user-7"),
        (b"key=same", [(b"event-key", b"same")], b"same"),
        (b"monkey=a", [], None),
    ],
)
def test_keys_come_from_the_header_or_the_query(query, headers, key):
    assert route(b"/publish", query, headers, DEFAULT).key == key


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"key=", []),
        (b"key=a%zz", []),
        (b"key=a%2", []),
        (b"key=a&key=b", []),
        (b"key=a", [(b"event-key", b"b")]),
        (b"", [(b"event-key", b"a"), (b"event-key", b"b")]),
    ],
)
def test_a_bad_key_is_refused(query, headers):
    with pytest.raises(Rejected) as refused:
        route(b"/publish", query, headers, DEFAULT)
    assert refused.value.problem[:2] == (400, "invalid-key")


@pytest.mark.parametrize("name", [b"a%20b", b"%2e%2e", b".", b"a%2Fb", b"x" * 250, b"%ff"])
def test_what_cannot_be_a_topic_is_refused(name):
    with pytest.raises(Rejected) as refused:
        route(b"/publish/" + name, b"", [], DEFAULT)
    assert refused.value.problem[:2] == (400, "invalid-topic")


def test_kafkas_internal_topics_are_closed():
    with pytest.raises(Rejected) as refused:
        route(b"/publish/__consumer_offsets", b"", [], DEFAULT)
    assert refused.value.problem.status == 403
