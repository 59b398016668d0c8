-- Facts of many runs at once: the plain case of journal_flush, in three statements for all of them. A run is plain when nothing but its
-- head and its projection's place changes: known, in this epoch, running, open, its facts the next ones. It answers for plain runs alone;
-- the caller gives every other one to journal_flush, which knows the refusals. i_firsts and i_lasts say which facts are whose.
CREATE FUNCTION append_facts(
    p_tenant text, i_runs text[], i_epochs integer[], i_fact_seqs integer[], i_firsts integer[], i_lasts integer[], i_seen text[],
    f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[], f_steps text[], f_digests text[], f_bodies bytea[],
    OUT place integer, OUT fact_head integer)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
    v_us bigint;
    r_places integer[];
    r_seqs bigint[];
    r_hashes bytea[];
    e_runs text[] := array_fill(NULL::text, ARRAY[cardinality(f_seqs)]);
    e_seqs bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(f_seqs)]);
    e_prevs bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(f_seqs)]);
    e_hashes bytea[] := e_prevs;
BEGIN
    -- Locked in ascending order of bytes, as every caller does, so that two calls never wait for each other in a circle.
    SELECT array_agg(l.place), array_agg(l.head_seq), array_agg(l.head_hash) INTO r_places, r_seqs, r_hashes FROM (
        SELECT i.place::integer AS place, r.head_seq, r.head_hash
        FROM runs r JOIN unnest(i_runs, i_epochs, i_fact_seqs, i_firsts, i_lasts, i_seen) WITH ORDINALITY
            AS i(run, epoch, fact_seq, first, last, seen, place) ON r.run = i.run
        WHERE r.tenant_id = p_tenant AND r.epoch = i.epoch AND r.status <> 'accepted' AND r.closed_at IS NULL
            AND (i.seen = '' OR i.seen = r.temporal_run_id) AND i.first <= i.last AND f_seqs[i.first] = r.fact_head + 1
            AND (i.epoch, i.fact_seq) >= (r.projection_epoch, r.projection_fact_seq)
        ORDER BY r.run COLLATE "C" FOR NO KEY UPDATE OF r) AS l;
    IF r_places IS NULL THEN
        RETURN;
    END IF;
    v_now := clock_timestamp();
    v_us := (extract(epoch FROM v_now) * 1000000)::bigint;
    FOR n IN 1 .. cardinality(r_places) LOOP
        place := r_places[n];
        FOR k IN i_firsts[place] .. i_lasts[place] LOOP
            IF k > i_firsts[place] AND f_seqs[k] <> f_seqs[k - 1] + 1 THEN
                RAISE EXCEPTION 'the facts of run % do not follow each other', i_runs[place];
            END IF;
            e_runs[k] := i_runs[place];
            e_seqs[k] := r_seqs[n] + 1;
            e_prevs[k] := r_hashes[n];
            e_hashes[k] := entry_hash(p_tenant, e_runs[k], e_seqs[k], e_prevs[k], v_us, f_bodies[k]);
            r_seqs[n] := e_seqs[k];
            r_hashes[n] := e_hashes[k];
        END LOOP;
        fact_head := f_seqs[i_lasts[place]];
        RETURN NEXT;
    END LOOP;
    INSERT INTO ledger_entries (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, fact_seq, step, fact_digest)
        SELECT p_tenant, e.run, e.seq, v_now, e.prev, e.hash, e.body, e.kind, e.principal, e.epoch, e.fact_seq, e.step, e.digest
        FROM unnest(e_runs, e_seqs, e_prevs, e_hashes, f_bodies, f_kinds, f_principals, f_epochs, f_seqs, f_steps, f_digests)
            AS e(run, seq, prev, hash, body, kind, principal, epoch, fact_seq, step, digest)
        WHERE e.seq IS NOT NULL;
    UPDATE runs r SET head_seq = n.seq, head_hash = n.hash, fact_head = f_seqs[i_lasts[n.place]], updated_at = v_now,
            projection_epoch = i_epochs[n.place], projection_fact_seq = i_fact_seqs[n.place]
        FROM unnest(r_places, r_seqs, r_hashes) AS n(place, seq, hash)
        WHERE r.tenant_id = p_tenant AND r.run = i_runs[n.place];
END $$;
