-- Facts of many runs at once, as in 0006_facts, at less cost: each array is opened where an element of it is needed, not unnested beside
-- ten others, and nothing is made for facts that are not appended.
CREATE OR REPLACE FUNCTION append_facts(
    p_tenant text, i_runs text[], i_epochs integer[], i_fact_seqs integer[], i_firsts integer[], i_lasts integer[], i_seen text[],
    f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[], f_steps text[], f_digests text[], f_bodies bytea[],
    OUT place integer, OUT fact_head integer)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
    v_us bigint;
    v_seq bigint;
    v_hash bytea;
    r_places integer[];
    r_seqs bigint[];
    r_hashes bytea[];
    e_places integer[] := '{}';
    e_facts integer[] := '{}';
    e_seqs bigint[] := '{}';
    e_prevs bytea[] := '{}';
    e_hashes bytea[] := '{}';
    v_size integer := 0;
BEGIN
    SELECT array_agg(l.place), array_agg(l.head_seq), array_agg(l.head_hash) INTO r_places, r_seqs, r_hashes FROM (
        SELECT i.place::integer AS place, r.head_seq, r.head_hash
        FROM unnest(i_runs) WITH ORDINALITY AS i(run, place) JOIN runs r ON r.tenant_id = p_tenant AND r.run = i.run
        WHERE r.epoch = i_epochs[i.place] AND r.status <> 'accepted' AND r.closed_at IS NULL
            AND (i_seen[i.place] = '' OR i_seen[i.place] = r.temporal_run_id)
            AND i_firsts[i.place] <= i_lasts[i.place] AND f_seqs[i_firsts[i.place]] = r.fact_head + 1
            AND (r.projection_epoch, r.projection_fact_seq) <= (i_epochs[i.place], i_fact_seqs[i.place])
        ORDER BY i.run COLLATE "C" FOR NO KEY UPDATE OF r) AS l;
    IF r_places IS NULL THEN
        RETURN;
    END IF;
    v_now := clock_timestamp();
    v_us := (extract(epoch FROM v_now) * 1000000)::bigint;
    FOR n IN 1 .. cardinality(r_places) LOOP
        place := r_places[n];
        v_seq := r_seqs[n];
        v_hash := r_hashes[n];
        FOR k IN i_firsts[place] .. i_lasts[place] LOOP
            IF k > i_firsts[place] AND f_seqs[k] <> f_seqs[k - 1] + 1 THEN
                RAISE EXCEPTION 'the facts of run % do not follow each other', i_runs[place];
            END IF;
            v_size := v_size + 1;
            v_seq := v_seq + 1;
            e_places[v_size] := place;
            e_facts[v_size] := k;
            e_seqs[v_size] := v_seq;
            e_prevs[v_size] := v_hash;
            v_hash := entry_hash(p_tenant, i_runs[place], v_seq, v_hash, v_us, f_bodies[k]);
            e_hashes[v_size] := v_hash;
        END LOOP;
        r_seqs[n] := v_seq;
        r_hashes[n] := v_hash;
        fact_head := f_seqs[i_lasts[place]];
        RETURN NEXT;
    END LOOP;
    UPDATE runs r SET head_seq = n.seq, head_hash = n.hash, fact_head = f_seqs[i_lasts[n.place]], updated_at = v_now,
            projection_epoch = i_epochs[n.place], projection_fact_seq = i_fact_seqs[n.place]
        FROM unnest(r_places, r_seqs, r_hashes) AS n(place, seq, hash)
        WHERE r.tenant_id = p_tenant AND r.run = i_runs[n.place];
    INSERT INTO ledger_entries (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, fact_seq, step, fact_digest)
        SELECT p_tenant, i_runs[e.place], e.seq, v_now, e.prev, e.hash, f_bodies[e.fact], f_kinds[e.fact], f_principals[e.fact],
            f_epochs[e.fact], f_seqs[e.fact], f_steps[e.fact], f_digests[e.fact]
        FROM unnest(e_places, e_facts, e_seqs, e_prevs, e_hashes) AS e(place, fact, seq, prev, hash);
END $$;

-- Both triggers speak of a change of closed_at alone. Without their column each update of a run, so each step, reads and prepares their
-- conditions: PostgreSQL does that per statement, before it looks at a row.
DROP TRIGGER runs_give_up ON runs;
DROP TRIGGER runs_go_on ON runs;
CREATE TRIGGER runs_give_up AFTER UPDATE OF closed_at ON runs FOR EACH ROW
    WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.status IN ('failed', 'timed_out', 'dead', 'terminated', 'expired'))
    EXECUTE FUNCTION run_gives_up();
CREATE TRIGGER runs_go_on AFTER UPDATE OF closed_at ON runs FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL)
    EXECUTE FUNCTION run_gives_up();
