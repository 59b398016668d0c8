-- What watchers of streams read: deltas of model calls that go on. They are lost in a crash, on purpose: the settled text is not here.

-- A row is what one flush of a worker's writer had of one attempt: the deltas up to number `last`. `slot` is the half hour it was written
-- in, modulo 4: a ring of partitions, of which the one written next but one is emptied whole. No row is ever deleted.
CREATE TABLE stream_deltas (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    call text NOT NULL,
    epoch integer NOT NULL,
    attempt integer NOT NULL,
    last integer NOT NULL,
    slot smallint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (tenant_id, run, step, visit, call, epoch, attempt, last, slot)
) PARTITION BY LIST (slot);
CREATE UNLOGGED TABLE stream_deltas_0 PARTITION OF stream_deltas FOR VALUES IN (0) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE stream_deltas_1 PARTITION OF stream_deltas FOR VALUES IN (1) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE stream_deltas_2 PARTITION OF stream_deltas FOR VALUES IN (2) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE stream_deltas_3 PARTITION OF stream_deltas FOR VALUES IN (3) WITH (autovacuum_enabled = false);

-- The partitions are reached through their parent alone: nobody is granted anything on them, and their own policies show no row.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['stream_deltas', 'stream_deltas_0', 'stream_deltas_1', 'stream_deltas_2', 'stream_deltas_3'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
    END LOOP;
END $$;
CREATE POLICY tenant_rows ON stream_deltas USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''));
GRANT SELECT, INSERT ON stream_deltas TO standfast_app;

-- The slot of now.
CREATE FUNCTION delta_slot() RETURNS smallint LANGUAGE sql VOLATILE AS $$
    SELECT ((extract(epoch FROM clock_timestamp())::bigint / 1800) % 4)::smallint
$$;

-- Empties the partition that was written longest ago, an hour and a half at least; at most once while it is empty, and never waiting.
CREATE FUNCTION forget_deltas() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table text := format('stream_deltas_%s', (public.delta_slot() + 1) % 4);
BEGIN
    IF pg_relation_size(format('public.%I', v_table)::regclass) = 0 THEN
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE NOWAIT', v_table);
    EXECUTE format('TRUNCATE public.%I', v_table);
EXCEPTION WHEN lock_not_available THEN
    RETURN;
END $$;
REVOKE ALL ON FUNCTION forget_deltas() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_deltas() TO standfast_app;
GRANT TRUNCATE ON stream_deltas_0, stream_deltas_1, stream_deltas_2, stream_deltas_3 TO standfast_definer;
GRANT CREATE ON SCHEMA public TO standfast_definer;
ALTER FUNCTION forget_deltas() OWNER TO standfast_definer;
REVOKE CREATE ON SCHEMA public FROM standfast_definer;
