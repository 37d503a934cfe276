"""Schemas, changes of schemas and values to try them with, drawn by hypothesis.

Few names, strings and numbers, so that what is drawn meets: a value that the old schema accepts and
the new one refuses has to be likely whenever there is one.
"""

from __future__ import annotations

import functools
import random

from hypothesis import strategies as st

NAMES = ["a", "b", "ab"]
STRINGS = ["", "a", "b", "ab", "ba", "2020-01-01", "aaaa"]
NUMBERS = [-1, 0, 1, 2, 3, 6, 1.0, 0.5, 1.5, -0.5, 2**53 + 1, 10**30, 1e30]
SCALARS = [None, True, False, *STRINGS, *NUMBERS]
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
PATTERNS = ["a", "^a", "b$", "^.$", "^$", "c"]


def value_from(chance: random.Random, depth: int = 2):
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(SCALARS)
    if kind < 0.55:
        return [value_from(chance, depth - 1) for _ in range(chance.randrange(4))]
    names = chance.sample([*NAMES, "c"], chance.randrange(4))
    return {name: value_from(chance, depth - 1) for name in names}


_chance = random.Random(20)
UNIVERSE = [*SCALARS, [], {}, *(value_from(_chance, 1) for _ in range(300))]
UNIVERSE += [value_from(_chance, 2) for _ in range(500)]

names = st.sampled_from(NAMES)
counts = st.integers(0, 3)
values = st.builds(lambda seed: value_from(random.Random(seed), 1), st.integers(0, 2**16))


@functools.cache
def schemas(depth: int = 2):
    within = schemas(depth - 1) if depth else st.sampled_from([True, False, {}])
    return st.one_of(
        st.booleans() if depth < 2 else st.just({}),
        st.lists(parts(within), min_size=1, max_size=3).map(merged),
    )


def merged(parts):
    schema = {}
    for part in parts:
        schema |= part
    return schema


def parts(within):
    """Draw one or a few keywords that go together."""
    types = st.one_of(
        st.sampled_from(TYPES),
        st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
    )
    named = st.dictionaries(names, within, max_size=2)
    several = st.lists(within, min_size=1, max_size=2)
    keyword = {
        "type": types,
        "enum": st.lists(values, min_size=1, max_size=3),
        "const": values,
        "minimum": st.sampled_from(NUMBERS),
        "maximum": st.sampled_from(NUMBERS),
        "exclusiveMinimum": st.sampled_from(NUMBERS),
        "exclusiveMaximum": st.sampled_from(NUMBERS),
        "multipleOf": st.sampled_from([1, 2, 3, 6, 0.5, 1.5, 2.0]),
        "minLength": counts,
        "maxLength": counts,
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from(["date", "regex", "nonsense"]),
        "minItems": counts,
        "maxItems": counts,
        "uniqueItems": st.booleans(),
        "items": within,
        "prefixItems": several,
        "unevaluatedItems": within,
        "contains": within,
        "minContains": counts,
        "maxContains": counts,
        "properties": named,
        "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), within, max_size=2),
        "additionalProperties": within,
        "unevaluatedProperties": within,
        "required": st.lists(names, max_size=2, unique=True),
        "minProperties": counts,
        "maxProperties": counts,
        "propertyNames": within,
        "dependentRequired": st.dictionaries(
            names, st.lists(names, max_size=2, unique=True), max_size=1
        ),
        "dependentSchemas": st.dictionaries(names, within, max_size=1),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": within,
        "if": within,
        "then": within,
        "else": within,
        "$ref": st.sampled_from(["#", "#/$defs/a", "#/$defs/b"]),
        "description": st.just("words"),
        "dependencies": st.dictionaries(names, within, max_size=1),
        "$dynamicRef": st.just("#/$defs/a"),
    }
    whole = [
        st.fixed_dictionaries({name: keyword[name] for name in together})
        for together in (
            ("type", "properties", "required"),
            ("properties", "additionalProperties"),
            ("properties", "patternProperties", "additionalProperties"),
            ("prefixItems", "items"),
            ("contains", "minContains", "maxContains"),
            ("if", "then", "else"),
            ("minimum", "maximum"),
            ("allOf", "unevaluatedProperties"),
        )
    ]
    # What schemas consist of mostly comes up mostly; the rarest keywords stand last.
    single = [drawn.map(lambda value, name=name: {name: value}) for name, drawn in keyword.items()]
    return st.one_of(*single, *whole)


MAPS = {"properties", "patternProperties", "dependentSchemas"}
LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
SMALL_PARTS = parts(st.sampled_from([True, False, {}, {"type": "string"}]))


@st.composite
def changed(draw, schema, depth: int = 2):
    """Draw a change of a schema, often one that should be compatible."""
    if not isinstance(schema, dict) or not schema:
        return draw(schemas(1))
    keyword = draw(st.sampled_from(sorted(schema)))
    rest = {name: value for name, value in schema.items() if name != keyword}
    within = changed_value(keyword, schema[keyword], depth)
    return draw(
        st.one_of(
            schemas(1),
            st.just(schema),
            st.permutations([schema, draw(schemas(1))]).map(lambda both: {"anyOf": both}),
            schemas(1).map(lambda other: {"oneOf": [schema, other]}),
            st.just(rest),
            SMALL_PARTS.map(lambda part: schema | part),
            within.map(lambda value: rest | {keyword: value}),
            within.map(lambda value: rest | {keyword: value}),
        )
    )


def changed_value(keyword, value, depth):
    """Draw a change of a keyword's value."""
    if depth and isinstance(value, dict) and value and keyword in MAPS:
        return st.sampled_from(sorted(value)).flatmap(
            lambda name: changed(value[name], depth - 1).map(lambda new: value | {name: new})
        )
    if depth and isinstance(value, list) and keyword in LISTS:
        first = changed(value[0], depth - 1)
        return st.one_of(
            first.map(lambda new: [new, *value[1:]]), first.map(lambda new: [*value, new])
        )
    if isinstance(value, list) and keyword in {"enum", "required"}:
        return st.sampled_from([value[:1], [each for each in value if each != "c"] + ["c"]])
    if depth and isinstance(value, dict) and keyword not in {"dependentRequired", "const"}:
        return changed(value, depth - 1)
    if isinstance(value, int | float) and not isinstance(value, bool):
        least = -9 if "imum" in keyword else 0
        return st.sampled_from([-1, 1]).map(lambda step: max(least, value + step))
    return st.just(value)


@st.composite
def pairs(draw):
    """Draw an old and a new schema."""
    old = draw(schemas(2))
    definitions = {name: draw(schemas(1)) for name in ("a", "b")}
    new = draw(changed(old))
    new = draw(st.one_of(st.just(new), changed(new)))
    after = dict(definitions)
    if draw(st.booleans()):
        after["a"] = draw(changed(definitions["a"], 1))
    return with_definitions(old, definitions), with_definitions(new, after)


def with_definitions(schema, definitions):
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    return schema | {"$defs": definitions}
