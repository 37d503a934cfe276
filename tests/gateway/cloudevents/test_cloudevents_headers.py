"""Binary content mode by the HTTP protocol binding, section 3.1."""

import string
from urllib.parse import quote

import pytest
from cloudevent_samples import attempt, headers, problem_of
from hypothesis import given
from hypothesis import strategies as st

from eventstream.gateway.formats.cloudevents import binary, is_binary
from eventstream.gateway.formats.cloudevents.syntax import is_string
from eventstream.gateway.problems import Problem

PRINTABLE_BUT_SPACE_QUOTE_PERCENT = "".join(
    character
    for character in string.ascii_letters + string.digits + string.punctuation
    if character not in '"%'
)


def value(text, name=b"ce-subject"):
    """Return what a header's value says."""
    return dict(binary([*headers(), (name, text)])[1])["ce_" + name[3:].decode()].decode()


def refusal(text):
    return problem_of(value, text).detail


def test_the_specifications_example_becomes_a_record():
    key, record_headers = binary(
        [
            (b"host", b"webhook.example.com"),
            (b"ce-specversion", b"1.0"),
            (b"ce-type", b"com.example.someevent"),
            (b"ce-time", b"2018-04-05T03:56:24Z"),
            (b"ce-id", b"1234-1234-1234"),
            (b"ce-source", b"/mycontext/subcontext"),
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"33"),
        ]
    )
    assert key is None
    assert record_headers == (
        ("ce_specversion", b"1.0"),
        ("ce_type", b"com.example.someevent"),
        ("ce_time", b"2018-04-05T03:56:24Z"),
        ("ce_id", b"1234-1234-1234"),
        ("ce_source", b"/mycontext/subcontext"),
        ("content-type", b"application/json; charset=utf-8"),
    )


@pytest.mark.parametrize("name", [b"ce-id", b"ce-", b"ce-anything"])
def test_one_header_of_cloudevents_makes_a_request_an_event(name):
    assert is_binary([(b"host", b"x"), (name, b"")])


def test_other_headers_do_not():
    assert not is_binary([(b"host", b"ce-id"), (b"cent", b"1"), (b"cookie", b"ce-")])


def test_the_content_type_is_the_datacontenttype_as_it_stands():
    content_type = b'multipart/mixed; boundary="a%20b\\"c"'
    assert ("content-type", content_type) in binary([*headers(), (b"content-type", content_type)])[
        1
    ]


def test_an_event_need_not_have_a_content_type():
    assert "content-type" not in dict(binary(headers())[1])


def test_datacontenttype_has_no_header_of_its_own():
    assert "it is the Content-Type" in problem_of(binary, headers(datacontenttype="a/b")).detail


@pytest.mark.parametrize("name", [b"ce-id", b"ce-myext", b"content-type"])
def test_an_attribute_stands_in_one_header(name):
    twice = [*headers(id=...), (name, b"text/plain"), (name, b"text/plain")]
    assert "stands in more than one header" in problem_of(binary, twice).detail


def test_values_have_no_space_around_them():
    assert value(b" \ta b\t ") == "a b"


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        (b"%e2%82%ac", "€"),
        (b"%41%62c", "Abc"),
        (b"100%25", "100%"),
        (b"%2541", "%41"),
        (b"a+b", "a+b"),
        (b"%22quoted%22", '"quoted"'),
        (b"with space", "with space"),
    ],
)
def test_values_are_percent_decoded_once(encoded, text):
    assert value(encoded) == text


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (b'"a b"', "a b"),
        (b'"say \\"hi\\""', 'say "hi"'),
        (b'"back\\\\slash"', "back\\slash"),
        (b'"\\a"', "a"),
        (b'"a%20b"', "a b"),
        (b'"%5C%22"', '\\"'),
        (b'"\\%41"', "A"),
        (b'" a "', " a "),
        (b"back\\slash", "back\\slash"),
    ],
)
def test_quoted_strings_are_unescaped_before_percent_decoding(encoded, text):
    assert value(encoded) == text


def test_a_quoted_string_may_be_empty():
    assert value(b'""', b"ce-myext") == ""


@pytest.mark.parametrize("encoded", [b'"', b'"a', b'a"', b'"a"b', b'a "b"', b'"a\\"', b'"a" "b"'])
def test_a_quote_encloses_the_whole_value(encoded):
    assert 'write " as %22' in refusal(encoded)


@pytest.mark.parametrize("encoded", [b"%", b"100%", b"%4", b"%zz", b"%%41", b"%u20AC", b'"%4"'])
def test_a_percent_has_two_digits_after_it(encoded):
    assert "write % as %25" in refusal(encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        b"%C0%A0",  # overlong
        b"%C0%80",
        b"%E0%80%AF",
        b"%F0%80%80%AF",
        b"%ED%A0%80",  # half a surrogate pair
        b"%F4%90%80%80",  # beyond Unicode
        b"%FF",
        b"%80",
        b"%E2%82",
    ],
)
def test_what_is_not_utf_8_is_refused(encoded):
    assert "not UTF-8 once its header is percent-decoded" in refusal(encoded)


@pytest.mark.parametrize("encoded", ["é".encode(), b"\xff", b'"\xc3\xa9"'])
def test_bytes_beyond_ascii_have_to_be_percent_encoded(encoded):
    assert "percent-encode them" in refusal(encoded)


@given(st.text(min_size=1).filter(is_string).filter(lambda text: text.strip(" \t") == text))
def test_every_string_survives_percent_encoding(text):
    least = quote(text, safe=PRINTABLE_BUT_SPACE_QUOTE_PERCENT)
    everything = "".join(f"%{byte:02x}" for byte in text.encode())
    assert value(least.encode()) == value(everything.encode()) == text


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="%"), min_size=1)
)
def test_every_ascii_string_survives_quoting(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert value(f'"{escaped}"'.encode()) == text


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ce-id", b"ce-x", b"ce-time", b"content-type", b"ce-\xe9", b"x"]),
            st.binary(max_size=12),
        ),
        max_size=4,
    )
)
def test_any_headers_are_an_event_or_a_problem_of_the_client(more):
    result = attempt(binary, [*headers(id=...), *more])
    if isinstance(result, Problem):
        assert result[:2] == (400, "invalid-cloudevent")
    else:
        assert all(is_string(text.decode()) for _, text in result[1])
