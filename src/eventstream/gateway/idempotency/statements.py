"""What the PostgreSQL store says to the database.

Times are the database's, so that replicas need not agree on theirs. Reservations of one batch are
inserted in the order of their ids: two processes that insert the same ids wait for each other in
turn, never in a circle. An insert waits for another insert at most; what changes a row changes one
that nobody else may change.
"""

from __future__ import annotations

VERSION = "eventstream idempotency keys, version 1"
_LOCK = 7_023_881_265_114_908_203
"""An advisory lock of ours alone: one process makes the table."""

FIND = """
SELECT obj_description(to_regclass('eventstream_idempotency'), 'pg_class')
"""
CREATE = (
    f"SELECT pg_advisory_xact_lock({_LOCK})",
    # Completions change no indexed column, and the room left in a page lets them stay there.
    """
    CREATE TABLE IF NOT EXISTS eventstream_idempotency (
        id bytea PRIMARY KEY,
        fingerprint bytea NOT NULL,
        mark bytea NOT NULL,
        token bytea NOT NULL,
        start bytea NOT NULL,
        answer bytea,
        reserved_at timestamptz NOT NULL,
        lease_until timestamptz NOT NULL,
        expires_at timestamptz NOT NULL
    ) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)
    """,
    """
    CREATE INDEX IF NOT EXISTS eventstream_idempotency_expires_at
    ON eventstream_idempotency (expires_at)
    """,
    f"COMMENT ON TABLE eventstream_idempotency IS '{VERSION}'",
)

SESSION = (
    # A plan made while the table was small would read all of it when it is large.
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    # Before the client's patience ends: what nobody waits for any more should not happen later.
    "SET statement_timeout = '1500ms'",
)

RESERVE = """
WITH asked AS (
    SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[], %b::float8[])
    AS asked (id, fingerprint, token, start, lease_s)
), won AS (
    INSERT INTO eventstream_idempotency AS held
        (id, fingerprint, mark, token, start, reserved_at, lease_until, expires_at)
    SELECT id, fingerprint, token, token, start, now(),
        now() + lease_s * interval '1 s', now() + %b::float8 * interval '1 s'
    FROM asked
    ON CONFLICT (id) DO NOTHING
    RETURNING held.token
)
SELECT asked.token, won.token IS NOT NULL,
    held.expires_at <= now() AND (held.answer IS NOT NULL OR held.lease_until <= now()),
    held.fingerprint, held.mark, held.token, held.start, held.answer,
    extract(epoch FROM now() - held.reserved_at)::float8,
    extract(epoch FROM held.lease_until - now())::float8
FROM asked
LEFT JOIN won ON won.token = asked.token
LEFT JOIN eventstream_idempotency AS held ON held.id = asked.id
"""
"""A row for each ask: whether it won, whether what stood there has had its time, and what it is."""

TAKE_OVER = """
UPDATE eventstream_idempotency
SET token = %b, lease_until = now() + %b::float8 * interval '1 s'
WHERE id = %b AND fingerprint = %b AND answer IS NULL
    AND lease_until <= now() AND expires_at > now()
RETURNING mark, start
"""

REPLACE = """
UPDATE eventstream_idempotency
SET token = %b, lease_until = now() + %b::float8 * interval '1 s', mark = %b, fingerprint = %b,
    start = %b, answer = NULL, reserved_at = now(),
    expires_at = now() + %b::float8 * interval '1 s'
WHERE id = %b AND expires_at <= now() AND (answer IS NOT NULL OR lease_until <= now())
RETURNING true
"""

# An answer need not reach the disk before it is given: one that a crash of the database takes back
# is found in the topic again. So nobody waits for a sync but who reserves.
COMPLETE = """
UPDATE eventstream_idempotency AS held
SET answer = done.answer, start = ''
FROM unnest(%b::bytea[], %b::bytea[], %b::bytea[]) AS done (id, token, answer),
    (SELECT set_config('synchronous_commit', 'off', true) OFFSET 0) AS lazily
WHERE held.id = done.id AND held.token = done.token
    AND (held.answer IS NULL OR held.answer = done.answer)
RETURNING done.token
"""

RENEW = """
UPDATE eventstream_idempotency SET lease_until = now() + %b::float8 * interval '1 s'
WHERE id = %b AND token = %b AND answer IS NULL
RETURNING true
"""

RELEASE = """
DELETE FROM eventstream_idempotency WHERE id = %b AND token = %b AND answer IS NULL
RETURNING true
"""

GIVE_BACK = """
UPDATE eventstream_idempotency SET lease_until = now(), token = ''
WHERE id = %b AND token = %b AND answer IS NULL
RETURNING true
"""

EXPIRE = """
DELETE FROM eventstream_idempotency WHERE id = ANY (ARRAY (
    SELECT id FROM eventstream_idempotency
    WHERE expires_at <= now() AND (answer IS NOT NULL OR lease_until <= now())
    ORDER BY expires_at LIMIT %b::int FOR UPDATE SKIP LOCKED
))
RETURNING true
"""
