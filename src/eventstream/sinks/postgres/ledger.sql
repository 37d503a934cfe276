-- Positions of consumer groups, kept in the transactions whose effects they are of.
--
-- A partition's row has its position and its owner's epoch. The functions hold an advisory lock on
-- the partition: shared where an event is finished, alone where the position or the owner changes.
-- They are plpgsql, whose statements each see what was committed before the lock was had. Each is
-- called as the last statement of its transaction, in one message with COMMIT: so nobody who has
-- stopped holds the lock.

-- One process makes all this.
SELECT pg_advisory_xact_lock(4611905812305119377);

-- A position changes every second: its page has room for the old ones.
CREATE TABLE IF NOT EXISTS eventstream_ledger_partition (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group text NOT NULL,
    topic text NOT NULL,
    topic_tag text NOT NULL,
    partition integer NOT NULL,
    epoch bigint NOT NULL,
    next_offset bigint NOT NULL,
    owner text NOT NULL,
    taken_at timestamptz NOT NULL,
    UNIQUE (consumer_group, topic, partition)
) WITH (fillfactor = 20);

-- What is done beyond the position. Rows live for a second: they are cleared often, and the table's
-- end is not cut off each time.
CREATE TABLE IF NOT EXISTS eventstream_ledger_done (
    partition_id integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (partition_id, "offset")
) WITH (
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off
);

-- A topic that was made anew has another tag, and what was done of the old one is of no account.
CREATE OR REPLACE FUNCTION eventstream_ledger_take_over(
    a_group text, a_topic text, a_tag text, a_partition integer, a_start bigint, an_owner text
) RETURNS TABLE (id integer, epoch bigint, next_offset bigint, done bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    mine integer;
BEGIN
    INSERT INTO eventstream_ledger_partition
        (consumer_group, topic, topic_tag, partition, epoch, next_offset, owner, taken_at)
    VALUES (a_group, a_topic, a_tag, a_partition, 0, a_start, '', now())
    ON CONFLICT DO NOTHING;
    SELECT known.id INTO STRICT mine FROM eventstream_ledger_partition AS known
    WHERE known.consumer_group = a_group AND known.topic = a_topic
        AND known.partition = a_partition;
    PERFORM pg_advisory_xact_lock(1702259300, mine);
    UPDATE eventstream_ledger_partition AS known
    SET topic_tag = a_tag, next_offset = a_start
    WHERE known.id = mine AND known.topic_tag <> a_tag;
    IF FOUND THEN
        DELETE FROM eventstream_ledger_done WHERE partition_id = mine;
    END IF;
    RETURN QUERY
    UPDATE eventstream_ledger_partition AS known
    SET epoch = known.epoch + 1, owner = an_owner, taken_at = now()
    WHERE known.id = mine
    RETURNING known.id, known.epoch, known.next_offset, ARRAY (
        SELECT finished."offset" FROM eventstream_ledger_done AS finished
        WHERE finished.partition_id = mine AND finished."offset" >= known.next_offset
        ORDER BY finished."offset"
    );
END $$;

-- Under a stricter isolation than READ COMMITTED a statement reads what was there when the
-- transaction began: there the lock on the row tells of a change.
CREATE OR REPLACE FUNCTION eventstream_ledger_finish(
    an_id integer, an_epoch bigint, an_offset bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reached bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1702259300, an_id);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM FROM eventstream_ledger_partition WHERE id = an_id FOR SHARE;
    END IF;
    INSERT INTO eventstream_ledger_done
    SELECT id, an_offset FROM eventstream_ledger_partition
    WHERE id = an_id AND epoch = an_epoch AND next_offset <= an_offset;
    IF NOT FOUND THEN
        SELECT next_offset INTO reached FROM eventstream_ledger_partition
        WHERE id = an_id AND epoch = an_epoch;
        IF reached > an_offset THEN
            RAISE 'the event was finished before' USING ERRCODE = 'EVL02';
        END IF;
        RAISE 'the partition was taken over' USING ERRCODE = 'EVL01';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION eventstream_ledger_advance(
    an_id integer, an_epoch bigint, from_offset bigint, to_offset bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1702259300, an_id);
    UPDATE eventstream_ledger_partition SET next_offset = to_offset
    WHERE id = an_id AND epoch = an_epoch AND next_offset = from_offset;
    IF NOT FOUND THEN
        RAISE 'the partition was taken over' USING ERRCODE = 'EVL01';
    END IF;
    DELETE FROM eventstream_ledger_done
    WHERE partition_id = an_id AND "offset" >= from_offset AND "offset" < to_offset;
END $$;

COMMENT ON TABLE eventstream_ledger_partition IS 'eventstream ledger, version 2';
