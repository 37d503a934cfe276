"""Context attributes by the core specification, alike in both encodings."""

import pytest
from cloudevent_samples import event, headers, problem_of, structured

from eventstream.gateway.formats.cloudevents import binary


def in_json(**attributes):
    return problem_of(structured, event(**attributes))


def in_headers(**attributes):
    return problem_of(binary, headers(**attributes))


BOTH = pytest.mark.parametrize("refusal", [in_json, in_headers])


@BOTH
@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_a_required_attribute_that_is_missing_is_named(refusal, name):
    problem = refusal(**{name: ...})
    assert problem[:2] == (400, "invalid-cloudevent")
    assert problem.detail == f"Attribute {name!r} is missing; every CloudEvent has one."


@BOTH
@pytest.mark.parametrize(
    "name",
    ["id", "source", "specversion", "type", "subject", "dataschema", "time", "partitionkey"],
)
def test_an_attribute_that_must_not_be_empty_is_named(refusal, name):
    assert refusal(**{name: ""}).detail.startswith(f"Attribute {name!r} must be ")


@BOTH
@pytest.mark.parametrize("version", ["0.3", "1.0.2", "1", "1.00", "2.0", " 1.0x"])
def test_only_version_1_0_is_understood(refusal, version):
    assert "'specversion' must be \"1.0\"" in refusal(specversion=version).detail


@BOTH
@pytest.mark.parametrize("source", ["a b", "<x>", "1:b", "http://[::"])
def test_a_source_is_a_uri_reference(refusal, source):
    assert "'source' must be a URI-reference" in refusal(source=source).detail


@BOTH
@pytest.mark.parametrize("schema", ["/relative", "schema.json", "https://h/s#part"])
def test_a_dataschema_is_an_absolute_uri(refusal, schema):
    assert "'dataschema' must be an absolute URI" in refusal(dataschema=schema).detail


@BOTH
@pytest.mark.parametrize("time", ["2018-04-05", "2018-02-30T00:00:00Z", "now", "1522949460"])
def test_a_time_is_a_timestamp(refusal, time):
    assert "'time' must be a timestamp" in refusal(time=time).detail


@pytest.mark.parametrize("content_type", ["", "json", "text/", "a/b; c"])
def test_a_datacontenttype_is_a_media_type(content_type):
    problems = [
        in_json(datacontenttype=content_type),
        problem_of(binary, [*headers(), (b"content-type", content_type.encode())]),
    ]
    assert all("'datacontenttype' must be a media type" in found.detail for found in problems)


@BOTH
@pytest.mark.parametrize("name", ["my_ext", "my-ext", "my.ext", "data_base65", "extension:", "é"])
def test_a_name_has_lower_case_letters_and_digits_only(refusal, name):
    if refusal is in_headers:
        problem = problem_of(binary, [*headers(), (b"ce-" + name.encode("latin-1"), b"1")])
    else:
        problem = refusal(**{name: "1"})
    assert f"Attribute {name!r} cannot be an attribute's name" in problem.detail


def test_upper_case_in_a_name_is_refused_where_case_is_seen():
    assert "'myExt' cannot be" in in_json(myExt="1").detail


def test_a_name_is_not_empty():
    assert "'' cannot be" in in_json(**{"": "1"}).detail
    assert "'' cannot be" in problem_of(binary, [*headers(), (b"ce-", b"1")]).detail


def test_a_long_name_is_an_attribute_and_is_shown_in_part():
    record = structured(event(**{"x" * 300: "1"}))
    assert ("ce_" + "x" * 300, b"1") in record.headers
    assert len(in_json(**{"_" * 300: "1"}).detail) < 200


def test_names_are_letters_and_digits_in_any_order():
    assert ("ce_0", b"v") in structured(event(**{"0": "v"})).headers
    assert ("ce_a1b2", b"v") in binary(headers(a1b2="v"))[1]


def test_the_name_data_is_kept_for_the_data():
    assert "reserved for the event's data" in in_headers(data="1").detail


@pytest.mark.parametrize("code", ["0000", "000a", "001f", "007f", "0085", "009f", "fdd0", "ffff"])
@pytest.mark.parametrize("name", ["id", "type", "subject", "partitionkey", "myext"])
def test_no_string_has_a_control_character_or_a_noncharacter(code, name):
    text = event(**{name: "MARK"}).replace(b"MARK", b"a\\u" + code.encode())
    assert f"Attribute {name!r} has a control" in problem_of(structured, text).detail
    quoted = "".join(f"%{byte:02X}" for byte in chr(int(code, 16)).encode())
    assert f"Attribute {name!r} has a control" in in_headers(**{name: "a" + quoted}).detail


def test_a_pair_of_surrogates_is_one_character_and_half_of_one_is_none():
    pair = event(subject="MARK").replace(b"MARK", b"\\ud83d\\ude00")
    assert ("ce_subject", "😀".encode()) in structured(pair).headers
    half = event(subject="MARK").replace(b"MARK", b"\\udead")
    assert problem_of(structured, half).status == 400
    assert "not UTF-8" in in_headers(subject="%ED%BA%AD").detail


def test_an_extension_may_be_an_empty_string():
    assert ("ce_myext", b"") in structured(event(myext="")).headers
    assert ("ce_myext", b"") in binary(headers(myext=""))[1]


def test_no_detail_repeats_a_value():
    value = "my secret\n"
    for name in ("id", "source", "time", "dataschema", "datacontenttype", "myext"):
        assert "secret" not in in_json(**{name: value}).detail
