-- Takes revision 0007 back.
CREATE OR REPLACE FUNCTION open_approval(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    INSERT INTO approvals (tenant_id, approval, run, definition, step, visit, state, digest, reviewer_role, exclude_requester,
        requester, opened_at, deadline, sealed)
    SELECT p_tenant, p_fields->>'approval', p_run, r.definition, p_fields->>'step', (p_fields->>'visit')::integer, 'open',
        p_fields->>'digest', p_fields->>'reviewer_role', (p_fields->>'exclude_requester')::boolean, p_fields->>'requester',
        (p_fields->>'opened_at')::timestamptz, (p_fields->>'deadline')::timestamptz, p_sealed
    FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run
    ON CONFLICT (tenant_id, approval) DO NOTHING
$$;
ALTER TABLE decisions DROP COLUMN content_sealed;
ALTER TABLE approvals
    DROP COLUMN reviewer_roles,
    DROP COLUMN delegates,
    DROP COLUMN rules,
    DROP COLUMN standing,
    DROP COLUMN revision,
    DROP COLUMN amended_by;
