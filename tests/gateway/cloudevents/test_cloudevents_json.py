"""The JSON event format."""

import base64
import json

import pytest
from cloudevent_samples import REQUIRED, attempt, event, problem_of, structured
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.problems import Problem


def refusal(text):
    problem = problem_of(structured, text)
    assert problem.status == 400
    return problem.detail


def with_data(text, **attributes):
    """Make an event with data as it is written here."""
    return event(**attributes, data="MARK").replace(b'"MARK"', text)


def test_the_specifications_event_becomes_a_record():
    record = structured(
        b"""{
            "specversion" : "1.0",
            "type" : "com.example.someevent",
            "source" : "/mycontext",
            "subject": null,
            "id" : "C234-1234-1234",
            "time" : "2018-04-05T17:31:00Z",
            "comexampleextension1" : "value",
            "comexampleothervalue" : 5,
            "datacontenttype" : "application/json",
            "data" : {
                "appinfoA" : "abc",
                "appinfoB" : 123,
                "appinfoC" : true
            }
        }"""
    )
    assert record.key is None
    assert json.loads(record.value) == {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}
    assert record.headers == (
        ("ce_specversion", b"1.0"),
        ("ce_type", b"com.example.someevent"),
        ("ce_source", b"/mycontext"),
        ("ce_id", b"C234-1234-1234"),
        ("ce_time", b"2018-04-05T17:31:00Z"),
        ("ce_comexampleextension1", b"value"),
        ("ce_comexampleothervalue", b"5"),
        ("content-type", b"application/json"),
    )


@pytest.mark.parametrize(
    ("written", "header"),
    [
        (b"true", b"true"),
        (b"false", b"false"),
        (b"0", b"0"),
        (b"-1", b"-1"),
        (b"2147483647", b"2147483647"),
        (b"-2147483648", b"-2147483648"),
        (b'"a\\u00e9\\/b"', "aé/b".encode()),
        (b'"true"', b"true"),
    ],
)
def test_an_extension_has_its_canonical_string(written, header):
    text = event(myext="MARK").replace(b'"MARK"', written)
    assert ("ce_myext", header) in structured(text).headers


@pytest.mark.parametrize(
    "written",
    [
        b"2147483648",
        b"-2147483649",
        b"9" * 5000,
        b"1.0",
        b"1e2",
        b"0.5",
        b"{}",
        b"[]",
        b'["a"]',
    ],
)
def test_an_extension_of_no_type_of_cloudevents_is_refused(written):
    text = event(myext="MARK").replace(b'"MARK"', written)
    assert refusal(text).startswith("Attribute 'myext' must be a JSON string, true, false or a")


@pytest.mark.parametrize("name", [*REQUIRED, "subject", "time", "dataschema", "partitionkey"])
@pytest.mark.parametrize("value", [1, True, {}, ["a"]])
def test_an_attribute_of_the_specification_is_a_json_string(name, value):
    assert refusal(event(**{name: value})) == f"Attribute {name!r} must be a JSON string."


@pytest.mark.parametrize("name", ["subject", "time", "dataschema", "datacontenttype", "myext"])
def test_null_is_an_attribute_that_is_not_set(name):
    assert structured(event(**{name: None})).headers == structured(event()).headers


@pytest.mark.parametrize("name", REQUIRED)
def test_null_does_not_stand_in_for_a_required_attribute(name):
    assert f"{name!r} is missing" in refusal(event(**{name: None}))


JSON_TEXTS = [b"{}", b'{ "a" :\t1.50 }', b"[1, 2]", b'"text"', b'"{\\"a\\":1}"', b"1e400", b"null"]


@pytest.mark.parametrize("text", JSON_TEXTS)
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/json; charset=utf-8", "image/x+JSON"]
)
def test_json_data_stays_byte_for_byte_and_a_string_stays_a_string(text, content_type):
    record = structured(with_data(text, datacontenttype=content_type))
    assert record.value == text
    assert ("content-type", content_type.encode()) in record.headers


@pytest.mark.parametrize("text", JSON_TEXTS)
@pytest.mark.parametrize("content_type", [..., None])
def test_data_without_a_type_is_json_and_says_so(text, content_type):
    record = structured(with_data(text, datacontenttype=content_type))
    assert record.value == text
    assert ("content-type", b"application/json") in record.headers


@pytest.mark.parametrize(
    ("content_type", "value"),
    [
        ("application/xml", '<much wow="é"/>'.encode()),
        ("text/plain; charset=UTF-8", '<much wow="é"/>'.encode()),
        ('text/plain; charset="ISO-8859-1"', '<much wow="é"/>'.encode("latin-1")),
    ],
)
def test_a_string_of_another_type_is_its_content(content_type, value):
    assert structured(event(datacontenttype=content_type, data='<much wow="é"/>')).value == value


@pytest.mark.parametrize("text", [b"{}", b"[]", b"1", b"true", b"null"])
def test_data_that_is_not_json_by_its_type_is_a_string(text):
    detail = refusal(with_data(text, datacontenttype="application/xml"))
    assert detail.startswith("The event's data must be a JSON string, since its datacontenttype")


@pytest.mark.parametrize(
    "charset", ["utf-16", "idna", '"../x"', "utf-8; charset=us-ascii", "unicode_escape"]
)
def test_a_charset_that_cannot_be_written_is_refused(charset):
    detail = refusal(event(datacontenttype=f"text/plain; charset={charset}", data="a"))
    assert "cannot be written as" in detail


@pytest.mark.parametrize("data", [1, "€"])
def test_a_long_datacontenttype_is_shown_in_part(data):
    content_type = "text/plain; charset=us-ascii; a=" + "x" * 9000
    assert len(refusal(event(datacontenttype=content_type, data=data))) < 300


@pytest.mark.parametrize("charset", ["us-ascii", "iso-8859-1"])
def test_data_that_its_charset_cannot_carry_is_refused(charset):
    detail = refusal(event(datacontenttype=f"text/plain; charset={charset}", data="€"))
    assert "has characters that its datacontenttype" in detail


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b'{"xyz": 123}'])
@pytest.mark.parametrize("content_type", ["application/json", "image/png", ...])
def test_base64_is_bytes_whatever_the_type_and_no_type_is_implied(data, content_type):
    encoded = base64.b64encode(data).decode()
    record = structured(event(data_base64=encoded, datacontenttype=content_type))
    assert record.value == data
    stated = dict(record.headers).get("content-type")
    assert stated == (None if content_type is ... else content_type.encode())


@pytest.mark.parametrize(
    "encoded", ["a", "YQ", "YQ=", "YQ==\n", "YQ===", "Y Q==", "-_==", "é", 5, {}]
)
def test_what_is_not_base64_is_refused(encoded):
    assert "data_base64 is not a JSON string of Base64" in refusal(event(data_base64=encoded))


@pytest.mark.parametrize("data", [b"{}", b"null", b'""'])
def test_data_and_data_base64_exclude_each_other(data):
    assert "both data and data_base64" in refusal(with_data(data, data_base64="YQ=="))


def test_data_base64_that_is_null_is_not_there():
    assert structured(with_data(b"1", data_base64=None)).value == b"1"
    assert structured(event(data_base64=None)).value is None


@pytest.mark.parametrize("content_type", [..., "application/json", "text/plain"])
def test_an_event_without_data_has_no_value(content_type):
    record = structured(event(datacontenttype=content_type))
    assert record.value is None
    assert ("content-type" in dict(record.headers)) is (content_type is not ...)


def test_an_explicit_null_is_data():
    assert structured(event(data=None)).value == b"null"


@pytest.mark.parametrize(
    "extra",
    [
        b'"id":"2"',
        b'"i\\u0064":"2"',
        b'"data":2',
        b'"myext":"a:b","myext":"c"',
        b'"myext":null,"myext":null',
        b'"data_base64":"","data_base64":""',
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",", " : ")])
def test_a_member_stands_once(extra, separators):
    members = json.dumps({**REQUIRED, "data": {"a:": [":"]}}, separators=separators).encode()
    for text in (b"{" + extra + b"," + members[1:], members[:-1] + b"," + extra + b"}"):
        assert "a member more than once" in refusal(text)


def test_a_name_inside_data_may_repeat():
    text = b'{"id":1,"id":2,"data":":"}'
    assert structured(with_data(text)).value == text


@given(
    st.dictionaries(st.from_regex(r"x[a-z0-9]{1,9}", fullmatch=True), st.text(max_size=6)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=6,
    ),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.data(),
)
def test_only_a_repeated_member_is_taken_for_one(extensions, data, ascii_only, indent, choice):
    members = {**REQUIRED, **extensions, "data": data}
    text = json.dumps(members, ensure_ascii=ascii_only, indent=indent).encode()
    result = attempt(structured, text)
    if isinstance(result, Problem):
        assert "has a control character" in result.detail
    else:
        assert json.loads(result.value) == data
    again = choice.draw(st.sampled_from(sorted(members)))
    member = json.dumps({again: members[again]}, indent=indent).encode().strip()[1:-1]
    assert "a member more than once" in refusal(text.rstrip()[:-1] + b"," + member + b"}")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is not JSON: "),
        (b"{", "The body is not JSON: "),
        (b'{"id":"1",}', "The body is not JSON: "),
        (b"\xef\xbb\xbf{}", "The body is not JSON: "),
        (b'{"data":"\xff"}', "The body is not JSON: it is not UTF-8"),
        (b'{"\xff":1}', "The body is not JSON: it is not UTF-8"),
        (b'{"data":' + b"[" * 100_000, "The body is not JSON: it is nested too deeply"),
        (b"[]", "What stands where a CloudEvent is expected is not a JSON object."),
        (b"1", "What stands where a CloudEvent is expected is not a JSON object."),
        (b"null", "What stands where a CloudEvent is expected is not a JSON object."),
        (b"{}", "Attribute 'specversion' is missing"),
    ],
)
def test_a_body_that_is_no_event_is_refused_with_the_reason(body, detail):
    assert refusal(body).startswith(detail)


@given(
    st.binary(max_size=40)
    | st.sampled_from([event(), event(data=1)]).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.binary(max_size=3)).map(
            lambda change: text[: change[0]] + change[1] + text[change[0] + 1 :]
        )
    )
)
def test_any_body_is_an_event_or_a_problem_of_the_client(body):
    result = attempt(structured, body)
    if isinstance(result, Problem):
        assert result.status == 400
    else:
        assert {"ce_id", "ce_source", "ce_type", "ce_specversion"} <= dict(result.headers).keys()


def test_an_event_of_64_kilobytes_passes():
    data = "x" * 64_000
    assert structured(event(data=data)).value == json.dumps(data).encode()
