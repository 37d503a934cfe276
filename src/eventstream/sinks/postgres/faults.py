"""What PostgreSQL's errors say of what was asked.

Source: PostgreSQL, appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

from psycopg import OperationalError
from psycopg.errors import Error

from eventstream.errors import EventstreamError, InvalidEvent
from eventstream.sinks.contract import Fenced, SinkRefused, SinkUnavailable
from eventstream.sinks.postgres.statements import FENCED

_PASSES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "25006",  # read_only_sql_transaction: a server that became a standby
        "25P03",  # idle_in_transaction_session_timeout
        "57014",  # query_canceled: a statement's time was over
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
    }
)
_CLASSES_THAT_PASS = frozenset({"08", "53", "58"})
"""Connections; resources: disk, memory, connections; the system."""
_OF_THE_DATA = frozenset({"22", "23"})
"""What is in the event does not fit its column, or a constraint."""
_BY_THE_DATA = _OF_THE_DATA | {"21", "54", "P0"}
"""Rows of one statement that meet; what is too large, for an index say; what a trigger raises."""


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again, whatever is in it."""
    if not isinstance(error, Error):
        return False
    code = error.sqlstate
    if code is None:
        return isinstance(error, OperationalError)
    return code in _PASSES or code[:2] in _CLASSES_THAT_PASS


def may_be_one_row(error: Error) -> bool:
    """Whether a statement for many rows may have failed for one of them, and pass without it."""
    return (error.sqlstate or "")[:2] in _BY_THE_DATA


def translate(error: Error) -> EventstreamError:
    """Say what an error of the server's, or its absence, means for a sink."""
    code = error.sqlstate or ""
    said = sentence(error)
    if code == FENCED:
        return Fenced("The partition was taken over by another owner.")
    if is_passing(error):
        return SinkUnavailable(f"PostgreSQL cannot take this now: {said}.")
    if code[:2] in _OF_THE_DATA:
        return InvalidEvent(f"PostgreSQL does not take it: {said}.")
    return SinkRefused(f"PostgreSQL refuses: {said}.")


def sentence(error: Error) -> str:
    """Return the server's own words in one line, without those that may hold a password."""
    if error.diag.message_primary:
        return error.diag.message_primary.rstrip(".")
    first = str(error).strip().splitlines()
    return first[0].rstrip(".") if first else type(error).__name__
