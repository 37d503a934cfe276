"""`eventstream sink`: what it refuses, in a sentence, before anything is started."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("postgres", "--table", "orders", "--column", "id"), "is not NAME=SOURCE"),
        (("postgres", "--table", "a.b.c"), "'a.b.c' is no table"),
        (("postgres", "--table", "orders", "--column", "id=total"), "'total'"),
        (("postgres", "--table", "orders"), "No PostgreSQL runs here"),
        (("redis", "--command", "foo x"), "'foo x' is no command that can be written"),
        (("redis", "--command", "set x {/y"), "has no other"),
        (("redis", "--command", "set x {value}"), "No Valkey runs here"),
    ],
)
def test_what_cannot_work_is_one_sentence(run, arguments, says):
    kind, *options = arguments
    refused = run("sink", kind, "--topic", "orders", *options)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_sink_has_no_files_to_watch(run):
    dsn = "postgresql://user:hush@127.0.0.1:1/none"
    command = ("sink", "postgres", "--topic", "orders", "--table", "orders", "--reload")
    refused = run(*command, "--postgres-dsn", dsn)
    assert refused.returncode == 1
    assert "A sink has no files to watch" in refused.stderr
    assert "hush" not in refused.stderr
