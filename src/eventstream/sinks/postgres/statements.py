"""What the ledger says to PostgreSQL; its tables and functions are in ledger.sql."""

from __future__ import annotations

from importlib.resources import files

VERSION = "eventstream ledger, version 2"
FENCED = "EVL01"
DONE_BEFORE = "EVL02"
DONE_KEY = "eventstream_ledger_done_pkey"

CREATE = files(__package__).joinpath("ledger.sql").read_bytes()
FIND = """
SELECT obj_description(to_regclass('eventstream_ledger_partition'), 'pg_class')
"""
TAKE_OVER = """
SELECT id, epoch, next_offset, done FROM eventstream_ledger_take_over(%s, %s, %s, %s, %s, %s)
"""
OWNER = """
SELECT owner FROM eventstream_ledger_partition
WHERE (consumer_group, topic, partition) = (%s, %s, %s)
"""
POSITION = """
SELECT next_offset FROM eventstream_ledger_partition WHERE id = %s AND epoch = %s
"""
FINISHED = """
SELECT next_offset > %(offset)s OR EXISTS (
    SELECT FROM eventstream_ledger_done WHERE partition_id = %(id)s AND "offset" = %(offset)s
) FROM eventstream_ledger_partition WHERE id = %(id)s AND epoch = %(epoch)s
"""
"""No row: the partition was taken over."""

END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid() AND datname = current_database()
    AND state <> 'idle' AND (state <> 'active' OR wait_event = 'ClientRead')
    AND now() - state_change > %s * interval '1 s'
"""
"""End an owner's sessions in whose transactions the server has waited for it for so long."""
END_SESSION = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid = %s AND application_name = %s AND pid <> pg_backend_pid()
"""
"""End one session; 0 once it is gone."""

INCARNATION = """
SELECT pg_postmaster_start_time()::text, pg_is_in_recovery()
"""
"""What changes when a server is started again or another one takes its place."""


def finish(partition_id: int, epoch: int, offset: int) -> bytes:
    """Write the end of an event's transaction, in one message."""
    return b"SELECT eventstream_ledger_finish(%d, %d, %d); COMMIT" % (partition_id, epoch, offset)
