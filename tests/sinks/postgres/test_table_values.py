"""Values through a table, beside what PostgreSQL itself makes of them."""

import base64
import json

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstream import pointer
from eventstream.events import Event
from eventstream.sinks import sources
from eventstream.sinks.contract import Poisoned
from eventstream.sinks.postgres.table import codecs
from eventstream.sinks.postgres.table.batches import COPY_END, COPY_HEAD, Batches
from eventstream.sinks.postgres.table.documents import Documents, Wanted
from eventstream.sinks.postgres.table.rows import Column

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.from_regex(
    r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?\Z", fullmatch=True
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat())
ZONES = st.sampled_from(["Z", "+00:00", "+05:30", "-11:00"])


def integers(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str)


def utf_8(value):
    return msgspec.json.encode(value).decode()


WRITTEN = {
    "bool": st.sampled_from(["true", "false"]),
    "int2": integers(16),
    "int4": integers(32),
    "int8": integers(64),
    "float4": st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    "float8": FLOATS.map(repr),
    "numeric": NUMBERS | NUMBERS.map(json.dumps),
    "text": TEXTS.map(json.dumps) | TEXTS.map(utf_8),
    "varchar": TEXTS.map(json.dumps),
    "bpchar": TEXTS.map(json.dumps),
    "bytea": st.binary(max_size=20).map(lambda data: json.dumps(base64.b64encode(data).decode())),
    "uuid": st.uuids().map(str).map(json.dumps),
    "date": st.dates().map(str).map(json.dumps),
    "timestamp": MOMENTS.map(json.dumps),
    "timestamptz": st.builds("{}{}".format, MOMENTS, ZONES).map(json.dumps),
    "json": JSONS.map(json.dumps) | JSONS.map(utf_8),
    "jsonb": JSONS.map(json.dumps) | JSONS.map(utf_8),
}
"""JSON texts of what fits each type."""


@pytest.fixture
def connection(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'; SET bytea_output = 'hex'")
        yield connection


def column(kind, modifier=-1, *, source="/v", is_needed=False):
    table = codecs.FROM_JSON if source.startswith("/") else codecs.FROM_BYTES
    return Column("v", kind, sources.parse(source), table[kind](modifier), is_needed)


def holding(text):
    return f'{{"u": "\u20ac", "v": {text}}}'


def events(texts):
    return [Event("orders", text.encode(), offset=offset) for offset, text in enumerate(texts)]


def through_a_table(connection, kind, texts):
    """Copy events into a table; return what the server then says is in it."""
    batch = Batches([column(kind)], (), None).of(events(texts))
    with connection.transaction(force_rollback=True):
        connection.execute(
            f"CREATE TEMPORARY TABLE t (n int GENERATED ALWAYS AS IDENTITY, v {kind})"
        )
        with connection.cursor().copy("COPY t (v) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(COPY_HEAD + batch.rows.copied() + COPY_END)
        return [value for (value,) in connection.execute("SELECT v::text FROM t ORDER BY n")]


def by_the_server(connection, kind, texts):
    """Have the server read the same values; return what it says they are."""
    values = [None if text == "null" else as_literal(kind, text) for text in texts]
    rows = connection.execute(
        f"SELECT v::{kind}::text FROM unnest(%s::text[]) WITH ORDINALITY AS t (v, n)"  # noqa: S608
        " ORDER BY n",
        [values],
    )
    return [value for (value,) in rows]


def as_literal(kind, text):
    if kind in {"json", "jsonb"} or not text.startswith('"'):
        return text
    value = json.loads(text)
    if kind == "bytea":
        return "\\x" + base64.b64decode(value).hex()
    return value


@pytest.mark.parametrize("kind", WRITTEN)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_value_is_what_the_server_makes_of_its_text(connection, kind, data):
    texts = data.draw(st.lists(WRITTEN[kind] | st.just("null"), min_size=1, max_size=20))
    stored = through_a_table(connection, kind, [holding(text) for text in texts])
    assert stored == by_the_server(connection, kind, texts)


def test_a_member_that_is_missing_is_null(connection):
    texts = ["{}", '{"v": 1}', '{"v": null}', "[]", "7", '{"v": 1, "v": 2}']
    stored = through_a_table(connection, "int4", texts)
    assert stored == [None, "1", None, None, None, "2"]


def test_milliseconds_since_1970_are_a_moment(connection):
    for kind, zone in (("timestamptz", "+00"), ("timestamp", "")):
        stored = through_a_table(connection, kind, ['{"v": 1700000000123}', '{"v": -1.5}'])
        assert stored == [f"2023-11-14 22:13:20.123{zone}", f"1969-12-31 23:59:59.9985{zone}"]


def test_a_local_time_with_an_offset_is_in_utc(connection):
    stored = through_a_table(connection, "timestamp", ['{"v": "2024-01-01T01:00:00+05:30"}'])
    assert stored == ["2023-12-31 19:30:00"]


LONGEST = "9" * 131_072


@pytest.mark.parametrize("text", [LONGEST, "1e131071", "-0.0", "0e5", "1e-16383", '"007.50"'])
def test_numbers_are_as_long_as_a_numeric_can_be(connection, text):
    stored = through_a_table(connection, "numeric", [holding(text)])
    assert stored == by_the_server(connection, "numeric", [text])


UNFIT = [
    ("bool", -1, "1"),
    ("int2", -1, "32768"),
    ("int4", -1, "-2147483649"),
    ("int8", -1, "9223372036854775808"),
    ("int8", -1, "1.0"),
    ("int8", -1, "true"),
    ("int8", -1, '"1"'),
    ("float4", -1, "1e39"),
    ("float8", -1, "1e309"),
    ("float8", -1, '"1"'),
    ("numeric", -1, '"1_0"'),
    ("numeric", -1, '" 1"'),
    ("numeric", -1, '"NaN"'),
    ("numeric", -1, '"1."'),
    ("numeric", -1, "true"),
    ("numeric", -1, LONGEST + "9"),
    ("numeric", -1, "1e131072"),
    ("numeric", -1, "1e-16384"),
    ("numeric", -1, "1e-999999"),
    ("text", -1, "1"),
    ("text", -1, '"a\\u0000b"'),
    ("varchar", 4 + 2, '"\u00e4\u00e4\u00e4"'),
    ("bpchar", 4 + 1, '"ab"'),
    ("bytea", -1, '"no base64"'),
    ("uuid", -1, '"123e4567"'),
    ("date", -1, '"2023-02-29"'),
    ("timestamptz", -1, '"2024-01-01T00:00:00"'),
    ("timestamptz", -1, "9e18"),
    ("timestamp", -1, '"yesterday"'),
    ("jsonb", -1, '{"a": "\\\\\\u0000"}'),
]


@pytest.mark.parametrize(("kind", "modifier", "text"), UNFIT)
def test_what_does_not_fit_is_named(kind, modifier, text):
    with pytest.raises(Poisoned) as raised:
        Batches([column(kind, modifier)], (), None).of(events(['{"v": null}', holding(text), "{}"]))
    (reason,) = raised.value.reasons.items()
    assert reason[0] == 1
    assert reason[1].startswith("/v is ")
    assert "column v takes " in reason[1]


@pytest.mark.parametrize("text", ["", "{", '{"v": 1} x', '{"v": "\\ud800"}', "[" * 5000])
def test_what_is_not_json_is_named(text):
    with pytest.raises(Poisoned) as raised:
        Batches([column("int4")], (), None).of(events(["{}", text]))
    (reason,) = raised.value.reasons.values()
    assert reason.startswith("The value is not JSON: ")


def test_a_backslash_before_u0000_makes_it_text(connection):
    text = r'{"v": "\\u0000"}'
    assert through_a_table(connection, "jsonb", [text]) == [r'"\\u0000"']


def test_sentences_say_where_and_what():
    wanted = [
        column("int2", source="/order/amount", is_needed=True),
        column("uuid", source="headers.trace")._replace(name="trace"),
    ]
    texts = ['{"order": {"amount": 70000}}', '{"order": null}', '{"order": [1]}', "{}"]
    batch = events(texts)
    batch[3] = msgspec.structs.replace(
        batch[3], value=b'{"order": {"amount": 1}}', headers=(("trace", b"x-1"),)
    )
    with pytest.raises(Poisoned) as raised:
        Batches(wanted, (), None).of(batch)
    missing = "/order/amount is missing or null, and column v is NOT NULL."
    assert raised.value.reasons == {
        0: "/order/amount is 70000, and column v takes an integer from -32768 to 32767.",
        1: missing,
        2: missing,
        3: "headers.trace is x-1, and column trace takes a UUID.",
    }


TOKENS = st.text(st.sampled_from('ab0~/"\n'), max_size=2)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | TOKENS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOKENS, inner, max_size=3),
    max_leaves=12,
)
KINDS = {msgspec.Raw: object, int: int, str: str}


@given(
    st.lists(DOCUMENTS, max_size=5),
    st.lists(
        st.builds(Wanted, st.lists(TOKENS, max_size=3).map(tuple), st.sampled_from(list(KINDS))),
        max_size=6,
    ),
)
def test_values_are_found_at_their_pointers(documents, wanted):
    texts = [json.dumps(document).encode() for document in documents]
    found = Documents(wanted).take(texts)
    assert not found.not_json
    for at, (place, decoded) in enumerate(wanted):
        for index, text in enumerate(texts):
            there = pointer.find(place, text)
            value = json.loads(there or b"null")
            is_fit = value is None or decoded is msgspec.Raw or type(value) is decoded
            assert ((index, at) in found.unfit) is not is_fit
            got = found.columns[at][index]
            expected = value if is_fit else None
            assert (json.loads(got) if isinstance(got, bytes) else got) == expected
