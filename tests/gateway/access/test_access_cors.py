"""Which pages may call, and what browsers are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstream.errors import InvalidSetting
from eventstream.gateway.access.cors import Cors

APP = b"https://app.example.com"
CORS = Cors([APP.decode(), "http://localhost:3000"])
ORIGINS = st.binary(max_size=40) | st.sampled_from(
    [APP, APP + b".evil.com", APP.upper(), APP + b"/", b"null", b"*", b"http://app.example.com"]
)


@given(ORIGINS)
def test_an_origin_is_allowed_only_as_it_is_written(origin):
    fields = dict(CORS.fields(origin))
    assert fields[b"vary"] == b"origin"
    if origin == APP:
        assert fields[b"access-control-allow-origin"] == APP
    else:
        assert b"access-control-allow-origin" not in fields
    assert b"access-control-allow-credentials" not in fields


def test_where_no_origin_is_named_nothing_is_added():
    assert Cors([]).fields(APP) == ()
    assert Cors([]).fields(b"") == ()


def test_a_preflight_is_answered_for_an_allowed_origin():
    answer = CORS.preflight(APP, b"POST", b"content-type,ce-id, ce-x\x00y,x-evil")
    fields = dict(answer.fields)
    assert (answer.status, answer.body) == (204, b"")
    assert fields[b"access-control-allow-origin"] == APP
    assert b"POST" in fields[b"access-control-allow-methods"]
    allowed = fields[b"access-control-allow-headers"].lower()
    for name in (b"authorization", b"content-type", b"event-key", b"ce-id"):
        assert name in allowed.split(b", ")
    assert b"\x00" not in allowed
    assert b"evil" not in allowed
    assert b"origin" in fields[b"vary"]


@given(ORIGINS.filter(lambda origin: origin not in {APP, b""}))
def test_a_preflight_of_another_origin_is_refused(origin):
    answer = CORS.preflight(origin, b"POST", b"")
    assert answer.status == 403
    assert not any(name.startswith(b"access-control") for name, _ in answer.fields)


def test_options_without_a_question_are_no_preflight():
    assert CORS.preflight(APP, b"", b"") is None
    assert CORS.preflight(b"", b"POST", b"") is None


@pytest.mark.parametrize(
    ("origin", "host", "refused"),
    [
        (b"", b"gateway:8080", False),
        (APP, b"gateway:8080", False),
        (b"http://gateway:8080", b"gateway:8080", False),
        (b"http://gateway:8080", b"Gateway:8080", False),
        (b"http://evil.example.com", b"gateway:8080", True),
        (b"http://gateway:8081", b"gateway:8080", True),
        (b"null", b"gateway:8080", True),
        (b"null", b"", True),
    ],
)
def test_a_page_of_another_origin_writes_nothing_in_its_visitors_name(origin, host, refused):
    refusal = CORS.refusal(origin, host)
    assert (refusal is not None) == refused
    if refused:
        assert refusal.status == 403


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.com", "https://app.example.com/", "https://*.a.com", ""]
)
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(InvalidSetting, match="is no origin"):
        Cors([origin])


@pytest.mark.parametrize("origin", ["https://a.b", "http://[::1]:3000", "http://127.0.0.1:80"])
def test_origins_as_browsers_write_them_are_taken(origin):
    assert Cors([origin]).refusal(origin.encode(), b"x") is None
