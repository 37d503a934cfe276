"""Schemas, changes of schemas and values to try them with, drawn by hypothesis.

Few names, strings and numbers, so that what is drawn meets: a value that the old schema accepts and
the new one refuses has to be likely whenever there is one.
"""

from __future__ import annotations

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
    names = chance.sample(NAMES + ["c"], chance.randrange(4))
    return {name: value_from(chance, depth - 1) for name in names}


_chance = random.Random(20)
UNIVERSE = [*SCALARS, [], {}, *(value_from(_chance, 1) for _ in range(300))]
UNIVERSE += [value_from(_chance, 2) for _ in range(500)]

names = st.sampled_from(NAMES)
counts = st.integers(0, 3)
values = st.builds(lambda seed: value_from(random.Random(seed), 1), st.integers(0, 2**16))


def schemas(depth: int = 2):
    within = st.deferred(lambda: schemas(depth - 1)) if depth else st.sampled_from([True, False, {}])
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
        st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True)
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
        "dependentRequired": st.dictionaries(names, st.lists(names, max_size=2, unique=True), max_size=1),
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


@st.composite
def changed(draw, schema, depth: int = 2):
    """Draw a change of a schema, often one that should be compatible."""
    how = draw(st.integers(0, 7))
    if not isinstance(schema, dict) or not schema or how == 0:
        return draw(schemas(1))
    if how == 1:
        return schema
    if how == 2:
        return {"anyOf": draw(st.permutations([schema, draw(schemas(1))]))}
    if how == 3:
        return {"oneOf": [schema, draw(schemas(1))]}
    keyword = draw(st.sampled_from(sorted(schema)))
    rest = {name: value for name, value in schema.items() if name != keyword}
    if how == 4:
        return rest
    if how == 5:
        return schema | draw(parts(st.sampled_from([True, False, {}, {"type": "string"}])))
    return rest | {keyword: draw(changed_value(keyword, schema[keyword], depth))}


@st.composite
def changed_value(draw, keyword, value, depth):
    if depth and isinstance(value, dict) and keyword in {"properties", "patternProperties", "$defs"}:
        if not value:
            return value
        name = draw(st.sampled_from(sorted(value)))
        return value | {name: draw(changed(value[name], depth - 1))}
    if depth and isinstance(value, list) and keyword in {"anyOf", "oneOf", "allOf", "prefixItems"}:
        index = draw(st.integers(0, len(value) - 1))
        new = draw(changed(value[index], depth - 1))
        return draw(st.sampled_from([value[:index] + [new] + value[index + 1 :], [*value, new]]))
    if isinstance(value, list) and keyword in {"enum", "required"}:
        return draw(st.sampled_from([value[:1], [*value, "c"] if "c" not in value else value]))
    if depth and isinstance(value, dict | bool) and keyword not in {"dependentRequired", "const"}:
        return draw(changed(value, depth - 1)) if isinstance(value, dict) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return max(0 if "m" in keyword[:1] else -9, value + draw(st.sampled_from([-1, 1])))
    return value


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
