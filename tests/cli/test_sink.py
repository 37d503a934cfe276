"""`eventstream sink`: what it refuses, in a sentence, before anything is started."""

import inspect
import shlex
from itertools import pairwise

import pytest

from eventstream.cli import sink
from eventstream.sinks import sources
from eventstream.sinks.postgres.table.offer import create_statement


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


def examples_of(command):
    """The examples of its help, as a shell would read them."""
    lines = inspect.getdoc(command).partition("Examples:")[2].replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def test_an_example_makes_the_table_it_says():
    (example,) = [each for each in examples_of(sink.postgres) if "--create" in each]
    columns = [given for flag, given in pairwise(example) if flag == "--column"]
    mapping = dict(given.split("=", 1) for given in columns)
    assert create_statement(
        "orders", {name: sources.parse(source) for name, source in mapping.items()}, "insert"
    )
