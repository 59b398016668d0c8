-- The effect journal, second half: how an attempt ended, and what a person says about an effect in doubt (JOURNAL §2.6).

-- The choice alone, on the row that stands: `repeated` is the same attempt telling twice.
-- A late failure does not end an effect that another attempt holds: only a late success is the truth about it.
CREATE FUNCTION outcome_choice(p_row effects, p_token text, p_state text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF p_row.lease_token = p_token THEN
        RETURN CASE p_row.state WHEN 'intent' THEN 'recorded' WHEN 'in_doubt' THEN
            CASE WHEN p_state = 'in_doubt' THEN 'repeated' ELSE 'accepted_late' END
            WHEN 'divergent' THEN 'settled_late' ELSE 'repeated' END;
    ELSIF p_row.state = 'in_doubt' AND p_state <> 'in_doubt' THEN
        RETURN 'accepted_late';
    ELSIF p_row.state = 'intent' AND p_state = 'done' THEN
        RETURN 'accepted_late';
    END IF;
    RETURN 'settled_late';
END $$;

-- Records an outcome, compare-and-set on the token. The facts' verdict comes beside the answer: an effect that happened is
-- recorded even when the facts that ride along are refused. Answers: domain/effects.OutcomeAnswer, unknown_run, unknown_effect.
CREATE FUNCTION journal_outcome(
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

-- Applies a person's answer to an effect in doubt or divergent: done with an output, or open again for a new attempt.
-- Any other state is the truth already and stays. Answers: done, go, failed, leased, and those of journal_open.
CREATE FUNCTION journal_resolve(
    p_tenant text, p_run text, p_epoch integer, f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[],
    f_steps text[], f_digests text[], f_bodies bytea[],
    p_step text, p_visit integer, p_call text, p_happened boolean, p_output_ref text, p_output_sealed bytea, p_output_digest text,
    p_payload_digest text, p_principal text, p_kind text, p_body bytea,
    OUT answer text, OUT detail text, OUT fact_head integer, OUT wait_ms integer, OUT state text, OUT output_ref text,
    OUT output_digest text, OUT output_sealed bytea, OUT error json, OUT input_tokens bigint, OUT output_tokens bigint,
    OUT cost_usd_micros bigint, OUT duration_ms bigint, OUT model text)
LANGUAGE plpgsql AS $$
DECLARE
    v_open record;
    v_moved boolean;
    v_link record;
    v_row effects;
BEGIN
    v_open := journal_open(p_tenant, p_run, p_epoch, f_seqs, f_epochs, f_kinds, f_principals, f_steps,
        f_digests, f_bodies);
    fact_head := v_open.fact_head;
    answer := v_open.verdict;
    detail := v_open.detail;
    IF v_open.verdict <> 'ok' THEN
        RETURN;
    END IF;
    SELECT e.* INTO v_row FROM effects e
        WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        answer := 'unknown_effect';
    ELSIF v_row.state IN ('in_doubt', 'divergent') THEN
        IF p_output_ref IS NOT NULL THEN
            INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (p_tenant, p_output_ref, p_run, p_output_sealed);
        END IF;
        UPDATE effects e SET
            state = CASE WHEN p_happened THEN 'done' ELSE 'failed' END,
            -- The lost attempt's token goes: should it answer after all, that is told as settled late, and never swallowed.
            lease_token = '', digest = coalesce(e.diverged_digest, e.digest), diverged_digest = NULL, ended_at = v_open.opened_at,
            output_ref = p_output_ref, output_digest = p_output_digest,
            error = CASE WHEN p_happened THEN NULL
                ELSE '{"code": "effect-in-doubt", "detail": "a person said that it did not happen", "retryable": "true"}'::json END
        WHERE e.tenant_id = p_tenant AND e.run = p_run AND e.step = p_step AND e.visit = p_visit AND e.call = p_call
        RETURNING e.* INTO v_row;
        v_link := chain_append(v_open.head_seq, v_open.head_hash,
            v_open.opened_at, p_tenant, p_run, p_kind, p_principal, p_epoch, NULL, p_step, p_payload_digest, NULL, p_body);
        v_open.head_seq := v_link.p_seq;
        v_open.head_hash := v_link.p_hash;
    END IF;
    v_moved := run_advance(p_tenant, p_run, v_open.fresh, p_epoch, NULL, v_open.head_seq, v_open.head_hash, v_open.fact_head,
            v_open.opened_at,
        0, 0, 0, NULL);
    IF answer = 'ok' THEN
        answer := CASE v_row.state WHEN 'intent' THEN 'leased' WHEN 'failed' THEN
            CASE WHEN v_row.error->>'retryable' = 'false' THEN 'failed' ELSE 'go' END ELSE v_row.state END;
        SELECT v_row.state, v_row.output_ref, v_row.output_digest, v_row.error, v_row.input_tokens, v_row.output_tokens,
            v_row.cost_usd_micros, v_row.duration_ms, v_row.model, recorded_output(p_tenant, v_row.output_ref)
        INTO state, output_ref, output_digest, error, input_tokens, output_tokens, cost_usd_micros, duration_ms, model, output_sealed;
        wait_ms := CASE WHEN v_row.state = 'intent'
            THEN greatest(0, ceil(extract(epoch FROM v_row.lease_until - v_open.opened_at) * 1000)::integer) END;
    END IF;
END $$;
