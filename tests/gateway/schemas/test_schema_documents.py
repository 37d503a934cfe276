"""What a schema may be, and what is said of one that may not."""

from __future__ import annotations

import socket
from contextlib import closing

import msgspec
import pytest

from eventstream.errors import InvalidSchema
from eventstream.gateway.schemas.documents import MAX_BYTES, Document

REFUSED = {
    b"{": "It is not JSON: Input data was truncated.",
    b"7": "A schema is a JSON object, true or false.",
    b'{"title":"\xff"}': "It is not JSON: ",
    b'{"minimum":1e400}': "It is not JSON: Number out of range",
    b"[" * 100_000: "It is nested too deeply.",
    b'{"items":' * 400 + b"{}" + b"}" * 400: "It is nested too deeply.",
    b'{"type":"strin"}': 'At /type: "strin" is not valid under any of the schemas',
    b'{"properties":{"a":{"minimum":"x"}}}': 'At /properties/a/minimum: "x" is not of type',
    b'{"pattern":"(?=a)b"}': 'At /pattern: "(?=a)b" is not a "regex". Patterns match in linear',
    b'{"$schema":"http://json-schema.org/draft-07/schema#"}': "$schema is ",
    b'{"$ref":"#/$defs/no"}': "does not exist",
    b'{"$ref":"other.json"}': "The schema refers to 'other.json'; a schema can refer to its own",
    b'{"not":{"$dynamicRef":"file:///etc/passwd"}}': "/not refers to 'file:///etc/passwd'",
    b'{"$ref":"#/x/y","x":{"y":{"$ref":"http://h/"}}}': "/x/y refers to 'http://h/'",
    b'{"allOf":[{"$ref":"#"}]}': "The schema refers back to itself for the same value",
    b'{"items":{"$ref":"#/$defs/a"},"$defs":{"a":{"not":{"$ref":"#/$defs/b"}},'
    b'"b":{"if":{"$dynamicRef":"#a"}},"c":{"$dynamicAnchor":"a","$ref":"#/$defs/a"}}}': (
        " refers back to itself for the same value, without end."
    ),
    b'{"$defs":{"a":{"$id":"http://h/"}}}': "/$defs/a has an $id of its own",
    b'{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}': "has $anchor 'x' a second time.",
    b'{"title":"' + b"x" * MAX_BYTES + b'"}': f"{MAX_BYTES} is the most a schema can have.",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40].decode("latin1"))
def test_what_is_no_schema_is_refused_with_one_short_reason(text):
    with pytest.raises(InvalidSchema) as refused:
        Document(text)
    assert REFUSED[text] in str(refused.value)
    assert len(str(refused.value)) < 500


def test_nothing_is_fetched():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for keyword in ("$ref", "$dynamicRef", "$schema"):
            with pytest.raises(InvalidSchema):
                Document(msgspec.json.encode({keyword: address}))
        Document(msgspec.json.encode({"$id": address, "default": {"$ref": address}}))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_property_may_have_a_keywords_name():
    document = Document(b'{"properties":{"$id":{"type":"string"},"$ref":{"type":"string"}}}')
    assert document.validator.is_valid({"$id": "x", "$ref": "http://h/"})
    assert not document.validator.is_valid({"$id": 1})


def test_parts_are_found_by_pointer_and_by_anchor():
    schema = {
        "$id": "http://h/",
        "properties": {"a b%/~é": {"$anchor": "here", "type": "string"}},
        "$ref": "#/$defs/size",
        "$defs": {"size": {"minProperties": 1}},
    }
    document = Document(msgspec.json.encode(schema))
    node = document.target("#/properties/a%20b%25~1~0%C3%A9")
    assert node.key == document.target("#here").key
    assert node.accepts("text")
    assert not node.accepts(7)
    assert not document.validator.is_valid({})


def test_formats_are_asserted_and_unknown_ones_are_words():
    document = Document(b'{"properties":{"at":{"format":"date-time"},"n":{"format":"int32"}}}')
    assert document.validator.is_valid({"at": "2026-01-31T12:00:00Z", "n": "x"})
    assert not document.validator.is_valid({"at": "yesterday"})


def test_a_pattern_that_would_backtrack_takes_no_time():
    document = Document(b'{"pattern":"^(a+)+$"}')
    assert not document.validator.is_valid("a" * 1_000_000 + "b")


def test_tags_tell_texts_apart():
    assert Document(b"{}").etag == Document(b"{}").etag
    assert Document(b"{}").etag != Document(b"{ }").etag
