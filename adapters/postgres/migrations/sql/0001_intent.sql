-- The effect journal, first half: an attempt asks to begin (JOURNAL §2). Lock order everywhere: the run's row, then the effect's.

-- What is recorded of an effect, for a verdict; `sealed` is its output.
CREATE FUNCTION recorded_output(p_tenant text, p_ref text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sealed FROM payloads WHERE tenant_id = p_tenant AND ref = p_ref
$$;

-- The choice alone: what an attempt is told about the row it found, before anything is written.
-- `go_again` is the same attempt asking twice; `to_in_doubt` and `to_divergent` change the row's state.
CREATE FUNCTION intent_choice(p_row effects, p_digest text, p_class text, p_retry text, p_token text, p_now timestamptz)
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

-- Records that an attempt begins, or says what is known. Answers: domain/effects.IntentAnswer, and unknown_run.
CREATE FUNCTION journal_intent(
    p_tenant text, p_run text, p_epoch integer, f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[],
    f_steps text[], f_digests text[], f_bodies bytea[],
    p_step text, p_visit integer, p_call text, p_digest text, p_class text, p_retry text, p_subject text, p_attempt integer,
    p_token text, p_lease_ms integer, p_temporal_run_id text, p_request_ref text, p_request_sealed bytea, p_payload_digest text,
    p_principal text, p_kind text, p_body bytea, p_doubt_body bytea, p_diverged_body bytea,
    OUT answer text, OUT detail text, OUT fact_head integer, OUT wait_ms integer, OUT state text, OUT output_ref text,
    OUT output_digest text, OUT output_sealed bytea, OUT error json, OUT input_tokens bigint, OUT output_tokens bigint,
    OUT cost_usd_micros bigint, OUT duration_ms bigint, OUT model text)
LANGUAGE plpgsql AS $$
DECLARE
    v_open record;
    v_moved boolean;
    v_link record;
    v_row effects;
    v_choice text;
    v_kind text;
    v_body bytea;
BEGIN
    v_open := journal_open(p_tenant, p_run, p_epoch, f_seqs, f_epochs, f_kinds, f_principals, f_steps,
        f_digests, f_bodies);
    fact_head := v_open.fact_head;
    IF v_open.verdict <> 'ok' THEN
        answer := v_open.verdict;
        detail := v_open.detail;
        RETURN;
    END IF;
    SELECT e.* INTO v_row FROM effects e
        WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call
        FOR NO KEY UPDATE;
    v_choice := intent_choice(v_row, p_digest, p_class, p_retry, p_token, v_open.opened_at);
    CASE v_choice
        WHEN 'go' THEN
            v_kind := p_kind;
            v_body := p_body;
            INSERT INTO effects AS e (tenant_id, run, step, visit, call, digest, epoch, attempt, lease_token, lease_until,
                effect_class, retry_class, subject, state, started_at, request_ref)
            VALUES (p_tenant, p_run, p_step, p_visit, p_call, p_digest, p_epoch, p_attempt, p_token,
                v_open.opened_at + p_lease_ms * interval '1 millisecond', p_class, p_retry, p_subject, 'intent', v_open.opened_at,
                p_request_ref)
            ON CONFLICT (tenant_id, run, step, visit, call) DO UPDATE SET
                digest = excluded.digest, epoch = excluded.epoch, attempt = excluded.attempt, lease_token = excluded.lease_token,
                lease_until = excluded.lease_until, effect_class = excluded.effect_class, retry_class = excluded.retry_class,
                subject = excluded.subject, state = 'intent', ended_at = NULL, request_ref = excluded.request_ref,
                output_ref = NULL, output_digest = NULL, error = NULL;
            IF p_request_ref IS NOT NULL THEN
                INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (p_tenant, p_request_ref, p_run, p_request_sealed);
            END IF;
        WHEN 'go_again' THEN
            UPDATE effects e SET lease_until = v_open.opened_at + p_lease_ms * interval '1 millisecond'
                WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call;
        WHEN 'to_in_doubt' THEN
            v_kind := 'worker:effect:in_doubt';
            v_body := p_doubt_body;
            UPDATE effects e SET state = 'in_doubt', ended_at = v_open.opened_at
                WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call;
        WHEN 'to_divergent' THEN
            v_kind := 'worker:effect:diverged';
            v_body := p_diverged_body;
            UPDATE effects e SET state = 'divergent', diverged_digest = p_digest
                WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call;
        WHEN 'leased' THEN
            wait_ms := ceil(extract(epoch FROM v_row.lease_until - v_open.opened_at) * 1000);
        WHEN 'done', 'failed' THEN
            SELECT v_row.state, v_row.output_ref, v_row.output_digest, v_row.error, v_row.input_tokens, v_row.output_tokens,
                v_row.cost_usd_micros, v_row.duration_ms, v_row.model, recorded_output(p_tenant, v_row.output_ref)
            INTO state, output_ref, output_digest, error, input_tokens, output_tokens, cost_usd_micros, duration_ms, model, output_sealed;
        ELSE NULL;
    END CASE;
    IF v_body IS NOT NULL THEN
        v_link := chain_append(v_open.head_seq, v_open.head_hash,
            v_open.opened_at, p_tenant, p_run, v_kind, p_principal, p_epoch, NULL, p_step,
            CASE WHEN v_choice = 'go' THEN p_payload_digest END, NULL, v_body);
        v_open.head_seq := v_link.p_seq;
        v_open.head_hash := v_link.p_hash;
    END IF;
    v_moved := run_advance(p_tenant, p_run, v_open.fresh OR NOT v_open.linked, p_epoch, p_temporal_run_id, v_open.head_seq,
            v_open.head_hash, v_open.fact_head,
        v_open.opened_at, 0, 0, 0, NULL);
    answer := CASE v_choice WHEN 'go_again' THEN 'go' WHEN 'to_in_doubt' THEN 'in_doubt' WHEN 'to_divergent' THEN 'divergent'
        ELSE v_choice END;
END $$;

-- Extends a living attempt's lease from now; false when the row is not this attempt's any more.
CREATE FUNCTION journal_renew(
    p_tenant text, p_run text, p_step text, p_visit integer, p_call text, p_token text, p_lease_ms integer)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE effects SET lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
        WHERE tenant_id = p_tenant AND run = p_run AND step = p_step AND visit = p_visit AND call = p_call
            AND lease_token = p_token AND state = 'intent';
    RETURN FOUND;
END $$;
