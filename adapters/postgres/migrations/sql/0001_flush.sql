-- Facts and the projection of a run in one transaction (JOURNAL §1.5, §8). Rows of approvals and tasks are opened once and
-- closed once whatever the order of flushes; the run's own fields obey compare-and-set on (epoch, fact_seq).

CREATE FUNCTION open_approval(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    INSERT INTO approvals (tenant_id, approval, run, definition, step, visit, state, digest, reviewer_role, exclude_requester,
        requester, opened_at, deadline, sealed)
    SELECT p_tenant, p_fields->>'approval', p_run, r.definition, p_fields->>'step', (p_fields->>'visit')::integer, 'open',
        p_fields->>'digest', p_fields->>'reviewer_role', (p_fields->>'exclude_requester')::boolean, p_fields->>'requester',
        (p_fields->>'opened_at')::timestamptz, (p_fields->>'deadline')::timestamptz, p_sealed
    FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run
    ON CONFLICT (tenant_id, approval) DO NOTHING
$$;

CREATE FUNCTION close_approval(p_tenant text, p_run text, p_fields json, p_comment_sealed bytea) RETURNS void LANGUAGE sql AS $$
    UPDATE approvals SET
        state = CASE p_fields->>'decision' WHEN 'approve' THEN 'approved' WHEN 'reject' THEN 'rejected' ELSE p_fields->>'decision' END,
        decision_id = p_fields->>'decision_id', decided_by = p_fields->>'decided_by',
        decided_at = (p_fields->>'decided_at')::timestamptz, comment_sealed = p_comment_sealed
    WHERE tenant_id = p_tenant AND run = p_run AND approval = p_fields->>'approval' AND state = 'open'
$$;

-- Opens a task; one whose effect was settled by a late outcome before the task came is closed at once, and undelivered.
CREATE FUNCTION open_task(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tasks (tenant_id, task, run, kind, step, visit, call, sealed, opened_at, state, resolution, completed_at, output_ref,
        delivered)
    SELECT p_tenant, p_fields->>'task', p_run, p_fields->>'kind', p_fields->>'step', (p_fields->>'visit')::integer,
        p_fields->>'call', p_sealed, (p_fields->>'opened_at')::timestamptz,
        CASE WHEN e.state IS NULL THEN 'open' ELSE 'closed_late' END, e.state, e.ended_at, e.output_ref, e.state IS NULL
    FROM (SELECT) AS one LEFT JOIN effects e ON p_fields->>'kind' = 'in_doubt' AND e.tenant_id = p_tenant AND e.run = p_run
        AND e.step = p_fields->>'step' AND e.visit = (p_fields->>'visit')::integer AND e.call = p_fields->>'call'
        AND e.state IN ('done', 'failed')
    ON CONFLICT (tenant_id, task) DO NOTHING
$$;

CREATE FUNCTION close_task(p_tenant text, p_run text, p_fields json) RETURNS void LANGUAGE sql AS $$
    UPDATE tasks SET
        resolution = CASE state WHEN 'open' THEN p_fields->>'resolution' ELSE resolution END,
        completed_by = CASE state WHEN 'open' THEN p_fields->>'completed_by' ELSE completed_by END,
        completed_at = CASE state WHEN 'open' THEN (p_fields->>'completed_at')::timestamptz ELSE completed_at END,
        state = CASE state WHEN 'open' THEN 'completed' ELSE state END,
        delivered = true
    WHERE tenant_id = p_tenant AND run = p_run AND task = p_fields->>'task'
$$;

CREATE FUNCTION journal_flush(
    p_tenant text, p_run text, p_epoch integer, f_seqs integer[], f_epochs integer[], f_kinds text[], f_principals text[],
    f_steps text[], f_digests text[], f_bodies bytea[],
    p_fact_seq integer, p_status text, p_closed boolean, p_reason text, p_waits_for text, p_error json,
    p_result_ref text, p_result_sealed bytea, p_open_approval json, p_approval_sealed bytea, p_close_approval json,
    p_comment_sealed bytea, p_open_task json, p_task_sealed bytea, p_close_task json,
    OUT answer text, OUT detail text, OUT fact_head integer)
LANGUAGE plpgsql AS $$
DECLARE
    v_open record;
    v_moved boolean;
    v_newer boolean;
BEGIN
    v_open := journal_open(p_tenant, p_run, p_epoch, f_seqs, f_epochs, f_kinds, f_principals, f_steps,
        f_digests, f_bodies);
    fact_head := v_open.fact_head;
    answer := v_open.verdict;
    detail := v_open.detail;
    IF v_open.verdict <> 'ok' THEN
        RETURN;
    END IF;
    -- A closed run opens again only by a higher epoch.
    v_newer := (p_epoch, p_fact_seq) >= (v_open.projection_epoch, v_open.projection_fact_seq)
        AND (v_open.closed_at IS NULL OR p_epoch > v_open.projection_epoch);
    IF v_open.fresh OR NOT v_newer THEN
        v_moved := run_advance(p_tenant, p_run, v_open.fresh, p_epoch, NULL, v_open.head_seq, v_open.head_hash, v_open.fact_head,
            v_open.opened_at, 0, 0, 0, NULL);
    END IF;
    IF v_newer AND v_open.closed_at IS NULL AND NOT p_closed
        AND coalesce(p_status, p_reason, p_waits_for, p_error::text, p_result_ref) IS NULL THEN
        UPDATE runs r SET head_seq = v_open.head_seq, head_hash = v_open.head_hash, fact_head = v_open.fact_head,
            updated_at = v_open.opened_at, projection_epoch = p_epoch, projection_fact_seq = p_fact_seq
        WHERE r.tenant_id = p_tenant AND r.run = p_run;
    ELSIF v_newer THEN
        UPDATE runs r SET head_seq = v_open.head_seq, head_hash = v_open.head_hash, fact_head = v_open.fact_head,
            updated_at = v_open.opened_at, projection_epoch = p_epoch, projection_fact_seq = p_fact_seq,
            status = coalesce(p_status, r.status),
            reason = CASE WHEN p_status IS NULL THEN coalesce(p_reason, r.reason) ELSE p_reason END,
            waits_for = CASE WHEN p_status IS NULL THEN coalesce(p_waits_for, r.waits_for) ELSE p_waits_for END,
            error = CASE WHEN p_status IS NULL THEN coalesce(p_error, r.error) ELSE p_error END,
            result_ref = coalesce(p_result_ref, r.result_ref),
            closed_at = CASE WHEN p_closed THEN v_open.opened_at ELSE NULL END
        WHERE r.tenant_id = p_tenant AND r.run = p_run;
    END IF;
    IF v_newer AND p_result_ref IS NOT NULL THEN
        INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (p_tenant, p_result_ref, p_run, p_result_sealed);
    END IF;
    IF p_open_approval IS NOT NULL THEN
        PERFORM open_approval(p_tenant, p_run, p_open_approval, p_approval_sealed);
    END IF;
    IF p_close_approval IS NOT NULL THEN
        PERFORM close_approval(p_tenant, p_run, p_close_approval, p_comment_sealed);
    END IF;
    IF p_open_task IS NOT NULL THEN
        PERFORM open_task(p_tenant, p_run, p_open_task, p_task_sealed);
    END IF;
    IF p_close_task IS NOT NULL THEN
        PERFORM close_task(p_tenant, p_run, p_close_task);
    END IF;
END $$;
