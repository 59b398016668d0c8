-- Takes revision 0011 back: tasks of no run go, others lose who was to answer, and by when.
DROP INDEX tasks_by_due, tasks_moving;
DELETE FROM tasks WHERE run IS NULL;
ALTER TABLE tasks DROP COLUMN role, DROP COLUMN assignee, DROP COLUMN priority, DROP COLUMN due, DROP COLUMN stages, DROP COLUMN level,
    DROP COLUMN breached_at, DROP COLUMN own, DROP COLUMN created_by, DROP COLUMN next_at, DROP COLUMN answer_sealed,
    ALTER COLUMN run SET NOT NULL;

CREATE OR REPLACE FUNCTION open_task(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
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
