-- One effect's outcome and the next one's intent, with the facts between them: the plain case of journal_outcome and then journal_intent,
-- which is nearly every step of a segment, as one change of the run. It is plain when the run is under way in this epoch, the facts are the
-- next ones, the outcome is that of the attempt that holds its effect, nobody has begun the next effect, and no budget is concerned.
-- Answers the new fact head; null when it is not plain: then nothing was written, and the caller asks the two functions, which know the rest.
-- The entries come as arrays: the first is the outcome's, the last the intent's, and those between are facts (the others' e_facts are null).
CREATE FUNCTION journal_advance(
    p_tenant text, p_run text, p_epoch integer, e_facts integer[], e_kinds text[], e_principals text[], e_steps text[],
    e_payload_digests text[], e_fact_digests text[], e_bodies bytea[],
    o_visit integer, o_call text, o_token text, o_state text, o_attempt integer, o_error json, o_ref text, o_sealed bytea,
    o_output_digest text, o_duration_ms bigint,
    i_visit integer, i_call text, i_digest text, i_class text, i_retry text, i_subject text, i_attempt integer, i_token text,
    i_lease_ms integer, i_ref text, i_sealed bytea, i_timed boolean)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_last integer := cardinality(e_kinds);
    v_now timestamptz;
    v_us bigint;
    v_seq bigint;
    v_hash bytea;
    v_fact integer;
    v_plain boolean;
    l_seqs bigint[];
    l_prevs bytea[];
    l_hashes bytea[];
BEGIN
    SELECT r.head_seq, r.head_hash, r.fact_head INTO v_seq, v_hash, v_fact FROM runs r
        WHERE r.tenant_id = p_tenant AND r.run = p_run AND r.epoch = p_epoch AND r.status <> 'accepted' AND r.temporal_run_id IS NOT NULL
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR k IN 2 .. v_last - 1 LOOP
        IF e_facts[k] <> v_fact + k - 1 THEN
            RETURN NULL;
        END IF;
    END LOOP;
    -- Every writer of these rows holds the run's row first, so what is read here stands until the end.
    SELECT EXISTS (SELECT FROM effects e WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = e_steps[1] AND e.visit = o_visit
            AND e.call = o_call AND e.state = 'intent' AND e.lease_token = o_token)
        AND NOT EXISTS (SELECT FROM effects e WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = e_steps[v_last]
            AND e.visit = i_visit AND e.call = i_call)
        AND NOT EXISTS (SELECT FROM reservations v WHERE v.tenant_id = p_tenant AND v.run = p_run AND v.step = e_steps[1]
            AND v.visit = o_visit AND v.call = o_call)
        AND (NOT i_timed OR NOT budget_limited(p_tenant, p_run, 'ms'))
        INTO v_plain;
    IF NOT v_plain THEN
        RETURN NULL;
    END IF;
    v_now := clock_timestamp();
    v_us := (extract(epoch FROM v_now) * 1000000)::bigint;
    FOR k IN 1 .. v_last LOOP
        l_prevs[k] := v_hash;
        v_seq := v_seq + 1;
        v_hash := entry_hash(p_tenant, p_run, v_seq, v_hash, v_us, e_bodies[k]);
        l_seqs[k] := v_seq;
        l_hashes[k] := v_hash;
    END LOOP;
    INSERT INTO payloads (tenant_id, ref, run, sealed)
        SELECT p_tenant, s.ref, p_run, s.sealed FROM (VALUES (o_ref, o_sealed), (i_ref, i_sealed)) AS s(ref, sealed) WHERE s.ref IS NOT NULL;
    UPDATE effects e SET state = o_state, attempt = o_attempt, ended_at = v_now, output_ref = o_ref, output_digest = o_output_digest,
            error = o_error, duration_ms = e.duration_ms + o_duration_ms
        WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = e_steps[1] AND e.visit = o_visit AND e.call = o_call;
    INSERT INTO effects (tenant_id, run, step, visit, call, digest, epoch, attempt, lease_token, lease_until, effect_class, retry_class,
            subject, state, started_at, request_ref)
        VALUES (p_tenant, p_run, e_steps[v_last], i_visit, i_call, i_digest, p_epoch, i_attempt, i_token,
            v_now + i_lease_ms * interval '1 millisecond', i_class, i_retry, i_subject, 'intent', v_now, i_ref);
    INSERT INTO ledger_entries (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, fact_seq, step, payload_digest,
            fact_digest)
        SELECT p_tenant, p_run, l.seq, v_now, l.prev, l.hash, l.body, l.kind, l.principal, p_epoch, l.fact, l.step, l.payload_digest,
            l.fact_digest
        FROM unnest(l_seqs, l_prevs, l_hashes, e_bodies, e_kinds, e_principals, e_facts, e_steps, e_payload_digests, e_fact_digests)
            AS l(seq, prev, hash, body, kind, principal, fact, step, payload_digest, fact_digest);
    UPDATE runs r SET head_seq = v_seq, head_hash = v_hash, fact_head = v_fact + v_last - 2, updated_at = v_now
        WHERE r.tenant_id = p_tenant AND r.run = p_run;
    RETURN v_fact + v_last - 2;
END $$;
