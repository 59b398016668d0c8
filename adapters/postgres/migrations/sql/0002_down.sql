-- The journal's functions of the first revision.

CREATE OR REPLACE FUNCTION journal_intent(
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

CREATE OR REPLACE FUNCTION journal_outcome(
    p_tenant text, p_run text, p_epoch integer, f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[],
    f_steps text[], f_digests text[], f_bodies bytea[],
    p_step text, p_visit integer, p_call text, p_token text, p_state text, p_attempt integer, p_error json, p_output_ref text,
    p_output_sealed bytea, p_output_digest text, p_input_tokens bigint, p_output_tokens bigint, p_cost bigint, p_duration_ms bigint,
    p_model text, p_payload_digest text, p_principal text, p_kind text, p_body bytea, p_settled_body bytea,
    OUT answer text, OUT facts_verdict text, OUT detail text, OUT fact_head integer, OUT output_ref text, OUT output_digest text)
LANGUAGE plpgsql AS $$
DECLARE
    v_open record;
    v_moved boolean;
    v_link record;
    v_row effects;
    v_settled boolean;
BEGIN
    v_open := journal_open(p_tenant, p_run, p_epoch, f_seqs, f_epochs, f_kinds, f_principals, f_steps,
        f_digests, f_bodies);
    fact_head := v_open.fact_head;
    facts_verdict := v_open.verdict;
    detail := v_open.detail;
    answer := v_open.verdict;
    IF v_open.verdict = 'unknown_run' THEN
        RETURN;
    END IF;
    SELECT e.* INTO v_row FROM effects e
        WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        answer := 'unknown_effect';
        v_settled := NULL;
    ELSE
        answer := outcome_choice(v_row, p_token, p_state);
        v_settled := answer = 'settled_late';
    END IF;
    IF answer IN ('repeated', 'unknown_effect') THEN
        v_moved := run_advance(p_tenant, p_run, v_open.fresh, p_epoch, NULL, v_open.head_seq, v_open.head_hash, v_open.fact_head,
            v_open.opened_at,
            0, 0, 0, NULL);
        answer := CASE answer WHEN 'repeated' THEN 'recorded' ELSE answer END;
        output_ref := v_row.output_ref;
        output_digest := v_row.output_digest;
        RETURN;
    END IF;
    IF NOT v_settled AND p_output_ref IS NOT NULL THEN
        INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (p_tenant, p_output_ref, p_run, p_output_sealed);
    END IF;
    UPDATE effects e SET
        state = CASE WHEN v_settled THEN e.state ELSE p_state END,
        attempt = CASE WHEN v_settled THEN e.attempt ELSE p_attempt END,
        lease_token = CASE WHEN v_settled THEN e.lease_token ELSE p_token END,
        ended_at = CASE WHEN v_settled THEN e.ended_at ELSE v_open.opened_at END,
        output_ref = CASE WHEN v_settled THEN e.output_ref ELSE p_output_ref END,
        output_digest = CASE WHEN v_settled THEN e.output_digest ELSE p_output_digest END,
        error = CASE WHEN v_settled THEN e.error ELSE p_error END,
        input_tokens = e.input_tokens + p_input_tokens, output_tokens = e.output_tokens + p_output_tokens,
        cost_usd_micros = e.cost_usd_micros + p_cost, duration_ms = e.duration_ms + p_duration_ms, model = coalesce(p_model, e.model)
    WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call
    RETURNING e.output_ref, e.output_digest INTO output_ref, output_digest;
    v_link := chain_append(v_open.head_seq, v_open.head_hash,
        v_open.opened_at, p_tenant, p_run, CASE WHEN v_settled THEN 'worker:effect:settled_late' ELSE p_kind END, p_principal, p_epoch,
        NULL, p_step, CASE WHEN v_settled THEN NULL ELSE p_payload_digest END, NULL,
        CASE WHEN v_settled THEN p_settled_body ELSE p_body END);
    v_open.head_seq := v_link.p_seq;
    v_open.head_hash := v_link.p_hash;
    IF answer = 'accepted_late' THEN
        UPDATE tasks t SET state = 'closed_late', resolution = p_state, completed_at = v_open.opened_at, output_ref = p_output_ref,
            delivered = false
        WHERE t.tenant_id = p_tenant AND t.run = p_run AND t.step = p_step AND t.visit = p_visit AND t.call = p_call
            AND t.state = 'open';
    END IF;
    v_moved := run_advance(p_tenant, p_run, v_open.fresh, p_epoch, NULL, v_open.head_seq, v_open.head_hash, v_open.fact_head,
            v_open.opened_at,
        p_input_tokens, p_output_tokens, p_cost, p_model);
END $$;
