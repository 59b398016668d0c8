-- Adds how approvals ask several groups, over time: who is asked now, by which rules, and how it stands. A row is opened once and closed
-- once; between, a flush with a higher revision replaces what has changed.
ALTER TABLE approvals
    ADD COLUMN reviewer_roles text[] NOT NULL DEFAULT '{}',
    ADD COLUMN delegates text[] NOT NULL DEFAULT '{}',
    ADD COLUMN rules json,
    ADD COLUMN standing json,
    ADD COLUMN revision integer NOT NULL DEFAULT 0,
    ADD COLUMN amended_by text;
ALTER TABLE decisions ADD COLUMN content_sealed bytea;

-- Row security is forced on the owner too, who changes the rows of every tenant here.
ALTER TABLE approvals NO FORCE ROW LEVEL SECURITY;
UPDATE approvals SET reviewer_roles = ARRAY[reviewer_role];
ALTER TABLE approvals FORCE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION open_approval(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    INSERT INTO approvals AS known (tenant_id, approval, run, definition, step, visit, state, digest, reviewer_role, exclude_requester,
        requester, opened_at, deadline, sealed, reviewer_roles, delegates, rules, standing, revision, amended_by)
    SELECT p_tenant, p_fields->>'approval', p_run, r.definition, p_fields->>'step', (p_fields->>'visit')::integer, 'open',
        p_fields->>'digest', p_fields->>'reviewer_role', (p_fields->>'exclude_requester')::boolean, p_fields->>'requester',
        (p_fields->>'opened_at')::timestamptz, (p_fields->>'deadline')::timestamptz, p_sealed,
        coalesce(nullif(ARRAY(SELECT json_array_elements_text(p_fields->'reviewer_roles')), '{}'), ARRAY[p_fields->>'reviewer_role']),
        ARRAY(SELECT json_array_elements_text(p_fields->'delegates')),
        nullif((p_fields->'rules')::text, 'null')::json, nullif((p_fields->'standing')::text, 'null')::json,
        coalesce((p_fields->>'revision')::integer, 0), p_fields->>'amended_by'
    FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run
    ON CONFLICT (tenant_id, approval) DO UPDATE SET digest = excluded.digest, deadline = excluded.deadline, sealed = excluded.sealed,
        reviewer_roles = excluded.reviewer_roles, delegates = excluded.delegates, standing = excluded.standing,
        revision = excluded.revision, amended_by = excluded.amended_by
    WHERE known.run = p_run AND known.state = 'open' AND known.revision < excluded.revision
$$;
