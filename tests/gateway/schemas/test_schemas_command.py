"""`eventstream schemas` as a user runs it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def check(run, tmp_path):
    def check(*schemas, options=()):
        paths = [tmp_path / f"{number}.json" for number in range(len(schemas))]
        for path, schema in zip(paths, schemas, strict=True):
            path.write_text(schema)
        return run("schemas", "check", *map(str, paths), *options)

    return check


def test_a_compatible_change_passes(check):
    checked = check('{"type":"string"}', '{"type":["string","null"]}')
    assert checked.returncode == 0
    assert checked.stdout.endswith("compatibility backward is kept.\n")


def test_an_incompatible_change_fails_with_its_place(check):
    both = ('{"type":["string","null"]}', '{"type":"string"}')
    checked = check(*both)
    assert (checked.returncode, checked.stdout) == (1, "")
    assert checked.stderr == (
        "The new schema may refuse events that the old one accepts: at /type, null is refused.\n"
    )
    assert check(*both, options=["--compatibility=forward"]).returncode == 0
    as_json = check(*both, options=["--json"])
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["compatible"] is False


def test_a_file_that_is_no_schema_is_told_in_one_sentence(check, run):
    checked = check('{"type":7}')
    assert checked.returncode == 1
    assert "0.json is not a schema: At /type: 7 is not" in checked.stderr
    assert len(checked.stderr.splitlines()) == 1
    assert run("schemas", "check", "nowhere.json").stderr == (
        "nowhere.json cannot be read: No such file or directory.\n"
    )
    assert check("{}").stdout.endswith("0.json is a schema.\n")
