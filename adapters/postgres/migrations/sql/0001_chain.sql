-- The chain of a run: hash and append. Callers hold the run's row lock and write its new head themselves.

-- The hash of domain/ledger.entry_hash, over the same bytes; p_recorded_us is in microseconds since 1970.
CREATE FUNCTION entry_hash(p_tenant text, p_run text, p_seq bigint, p_prev bytea, p_recorded_us bigint, p_body bytea)
RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(
        '\x7374616e64666173743a656e7472793a763100'::bytea
        || int4send(octet_length(convert_to(p_tenant, 'UTF8'))) || convert_to(p_tenant, 'UTF8')
        || int4send(octet_length(convert_to(p_run, 'UTF8'))) || convert_to(p_run, 'UTF8')
        || int8send(p_seq) || p_prev || int8send(p_recorded_us) || p_body)
$$;

-- Appends one entry after (p_seq, p_hash) and returns the new head in their place.
CREATE FUNCTION chain_append(
    INOUT p_seq bigint, INOUT p_hash bytea, p_now timestamptz, p_tenant text, p_run text, p_kind text, p_principal text,
    p_epoch integer, p_fact_seq integer, p_step text, p_payload_digest text, p_fact_digest text, p_body bytea)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_entries AS e (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, fact_seq, step,
        payload_digest, fact_digest)
    VALUES (p_tenant, p_run, p_seq + 1, p_now, p_hash,
        entry_hash(p_tenant, p_run, p_seq + 1, p_hash, (extract(epoch FROM p_now) * 1000000)::bigint, p_body),
        p_body, p_kind, p_principal, p_epoch, p_fact_seq, p_step, p_payload_digest, p_fact_digest)
    RETURNING e.seq, e.hash INTO p_seq, p_hash;
END $$;

-- Appends one entry that is no fact, under the run's row lock; false when there is no such run.
CREATE FUNCTION append_entry(
    p_tenant text, p_run text, p_kind text, p_principal text, p_epoch integer, p_step text, p_payload_digest text, p_body bytea)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_seq bigint;
    v_hash bytea;
    v_link record;
BEGIN
    SELECT head_seq, head_hash INTO v_seq, v_hash FROM runs WHERE tenant_id = p_tenant AND run = p_run FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_link := chain_append(v_seq, v_hash, clock_timestamp(), p_tenant, p_run, p_kind, p_principal, p_epoch, NULL, p_step,
        p_payload_digest, NULL, p_body);
    UPDATE runs SET head_seq = v_link.p_seq, head_hash = v_link.p_hash, updated_at = clock_timestamp()
        WHERE tenant_id = p_tenant AND run = p_run;
    RETURN true;
END $$;

-- Opens a journal transaction: locks the run's row (always the first lock), refuses a stale epoch, and appends the facts
-- that are not recorded yet. Verdicts: ok, unknown_run, stale_epoch, fact_diverged, fact_gap; nothing is written unless ok.
-- The caller writes the new head by run_advance. `fresh`: more than the head is to be written; `linked`: the run follows an execution.
-- Callers assign what this and chain_append answer (v := f(…)): PL/pgSQL then evaluates the call without an executor (7 us a call).
CREATE FUNCTION journal_open(
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

-- Writes a run's new head, and epoch and usage where there is something to write; the first call for an accepted run makes it running.
CREATE FUNCTION run_advance(
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
