"""Lines that say the same again."""

import logging

from eventstream.observe.logs import Sparse


def record(message, created):
    line = logging.LogRecord("eventstream.kafka", logging.ERROR, "", 0, message, None, None)
    line.created = created
    return line


def test_a_line_is_not_repeated_before_its_time():
    sparse = Sparse(rest_s=30)
    seconds = [0, 1, 29, 31, 32, 70]
    passed = [sparse.filter(record(f"broker 1 is gone after {n} ms", n)) for n in seconds]
    assert passed == [True, False, False, True, False, True]


def test_other_lines_pass():
    sparse = Sparse(rest_s=30)
    assert sparse.filter(record("broker 1 is gone", 0))
    assert sparse.filter(record("broker 1 refuses the password", 0))


def test_memory_is_bounded():
    sparse = Sparse(rest_s=30)
    for letters in range(2000):
        sparse.filter(record("x" * letters, 0))
    assert len(sparse._passed) <= 256
