-- Takes revision 0006 back: forks stay as runs of their own, and nobody knows any more where they come from.
DROP TABLE continuations;
DROP INDEX runs_by_parent, ledger_entries_requests;
ALTER TABLE runs DROP COLUMN parent_run, DROP COLUMN fork_step, DROP COLUMN fork_effects;

CREATE OR REPLACE FUNCTION journal_open(
    p_tenant text, p_run text, p_epoch integer, f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[],
    f_steps text[], f_digests text[], f_bodies bytea[],
    OUT verdict text, OUT detail text, OUT head_seq bigint, OUT head_hash bytea, OUT fact_head integer, OUT opened_at timestamptz,
    OUT fresh boolean, OUT linked boolean, OUT projection_epoch integer, OUT projection_fact_seq integer, OUT closed_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    v_epoch integer;
    v_link record;
    v_new integer;
    v_known text;
BEGIN
    SELECT 'ok', r.head_seq, r.head_hash, r.fact_head, r.fact_head, r.epoch, r.temporal_run_id IS NOT NULL,
            r.status = 'accepted' OR p_epoch > coalesce(r.epoch, -1), r.projection_epoch, r.projection_fact_seq, r.closed_at
        INTO verdict, head_seq, head_hash, fact_head, v_new, v_epoch, linked, fresh, projection_epoch, projection_fact_seq, closed_at
        FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        verdict := 'unknown_run';
        RETURN;
    END IF;
    opened_at := clock_timestamp();
    IF p_epoch < v_epoch THEN
        verdict := 'stale_epoch';
        detail := format('the run is in epoch %s, and this attempt is of epoch %s', v_epoch, p_epoch);
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(f_seqs) LOOP
        IF f_seqs[i] <= fact_head THEN
            SELECT e.fact_digest INTO v_known FROM ledger_entries e
                WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.epoch = f_epochs[i] AND e.fact_seq = f_seqs[i];
            IF v_known IS DISTINCT FROM f_digests[i] THEN
                verdict := 'fact_diverged';
                detail := format('fact %s (%s) of epoch %s', f_seqs[i], f_kinds[i], f_epochs[i]);
                RETURN;
            END IF;
        ELSIF f_seqs[i] = v_new + 1 THEN
            v_new := f_seqs[i];
        ELSE
            verdict := 'fact_gap';
            detail := format('fact %s came after fact %s', f_seqs[i], v_new);
            RETURN;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(f_seqs) LOOP
        IF f_seqs[i] > fact_head THEN
            v_link := chain_append(head_seq, head_hash, opened_at, p_tenant, p_run,
                f_kinds[i], f_principals[i], f_epochs[i], f_seqs[i], f_steps[i], NULL, f_digests[i], f_bodies[i]);
            head_seq := v_link.p_seq;
            head_hash := v_link.p_hash;
        END IF;
    END LOOP;
    fact_head := v_new;
END $$;

CREATE OR REPLACE FUNCTION run_advance(
    p_tenant text, p_run text, p_fresh boolean, p_epoch integer, p_temporal_run_id text, p_seq bigint, p_hash bytea, p_fact_head integer,
    p_now timestamptz, p_input_tokens bigint, p_output_tokens bigint, p_cost bigint, p_model text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT p_fresh AND p_input_tokens + p_output_tokens + p_cost = 0 AND p_model IS NULL THEN
        UPDATE runs SET head_seq = p_seq, head_hash = p_hash, fact_head = p_fact_head, updated_at = p_now
            WHERE tenant_id = p_tenant AND run = p_run;
        RETURN FOUND;
    END IF;
    UPDATE runs SET
        head_seq = p_seq, head_hash = p_hash, fact_head = p_fact_head, updated_at = p_now,
        temporal_run_id = CASE WHEN temporal_run_id IS NULL OR p_epoch > coalesce(epoch, -1)
            THEN coalesce(p_temporal_run_id, temporal_run_id) ELSE temporal_run_id END,
        epoch = greatest(epoch, p_epoch),
        status = CASE WHEN status = 'accepted' THEN 'running' ELSE status END,
        input_tokens = input_tokens + p_input_tokens,
        output_tokens = output_tokens + p_output_tokens,
        cost_usd_micros = cost_usd_micros + p_cost,
        model = coalesce(p_model, model)
    WHERE tenant_id = p_tenant AND run = p_run;
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION intent_choice(p_row effects, p_digest text, p_class text, p_retry text, p_token text, p_now timestamptz)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF p_row.state IS NULL THEN
        RETURN 'go';
    ELSIF p_row.state = 'divergent' THEN
        RETURN 'divergent';
    ELSIF p_row.digest <> p_digest THEN
        RETURN CASE WHEN p_class IN ('write', 'money') OR p_row.effect_class IN ('write', 'money') THEN 'to_divergent' ELSE 'go' END;
    ELSIF p_row.state IN ('done', 'in_doubt') THEN
        RETURN p_row.state;
    ELSIF p_row.state = 'failed' THEN
        RETURN CASE WHEN p_row.error->>'retryable' = 'false' THEN 'failed' ELSE 'go' END;
    ELSIF p_row.lease_token = p_token THEN
        RETURN 'go_again';
    ELSIF p_row.lease_until > p_now THEN
        RETURN 'leased';
    ELSIF p_row.retry_class = 'idempotent' AND p_retry = 'idempotent' THEN
        RETURN 'go';
    END IF;
    RETURN 'to_in_doubt';
END $$;
