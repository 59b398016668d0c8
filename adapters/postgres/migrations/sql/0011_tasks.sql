-- Human tasks beyond doubts: who is to answer, by when, the escalation ladder, and tasks that people make themselves (of no step, with or
-- without a run).

ALTER TABLE tasks ALTER COLUMN run DROP NOT NULL,
    ADD COLUMN role text, ADD COLUMN assignee text, ADD COLUMN priority text NOT NULL DEFAULT 'normal', ADD COLUMN due timestamptz,
    ADD COLUMN stages json, ADD COLUMN level integer NOT NULL DEFAULT 0, ADD COLUMN breached_at timestamptz,
    ADD COLUMN own boolean NOT NULL DEFAULT false, ADD COLUMN created_by text, ADD COLUMN next_at timestamptz,
    ADD COLUMN answer_sealed bytea;
CREATE INDEX tasks_by_due ON tasks (tenant_id, state, due, task);
CREATE INDEX tasks_moving ON tasks (tenant_id, next_at) WHERE own AND state = 'open' AND next_at IS NOT NULL;

-- Opens a task, or tells what has become of an open one: overdue, or handed to the next role of its ladder. A person's own hand-over that
-- is further up stays. One whose effect was settled by a late outcome before the task came is closed at once, and undelivered.
CREATE OR REPLACE FUNCTION open_task(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tasks AS t (tenant_id, task, run, kind, step, visit, call, sealed, opened_at, state, resolution, completed_at, output_ref,
        delivered, role, assignee, priority, due, stages, level, breached_at)
    SELECT p_tenant, p_fields->>'task', p_run, p_fields->>'kind', p_fields->>'step', (p_fields->>'visit')::integer,
        p_fields->>'call', p_sealed, (p_fields->>'opened_at')::timestamptz,
        CASE WHEN e.state IS NULL THEN 'open' ELSE 'closed_late' END, e.state, e.ended_at, e.output_ref, e.state IS NULL,
        p_fields->>'role', p_fields->>'assignee', coalesce(p_fields->>'priority', 'normal'), (p_fields->>'due')::timestamptz,
        p_fields->'stages', coalesce((p_fields->>'level')::integer, 0), (p_fields->>'breached_at')::timestamptz
    FROM (SELECT) AS one LEFT JOIN effects e ON p_fields->>'kind' = 'in_doubt' AND e.tenant_id = p_tenant AND e.run = p_run
        AND e.step = p_fields->>'step' AND e.visit = (p_fields->>'visit')::integer AND e.call = p_fields->>'call'
        AND e.state IN ('done', 'failed')
    ON CONFLICT (tenant_id, task) DO UPDATE SET
        role = CASE WHEN excluded.level > t.level THEN excluded.role ELSE t.role END,
        assignee = CASE WHEN excluded.level > t.level THEN NULL ELSE t.assignee END,
        level = greatest(t.level, excluded.level), breached_at = coalesce(t.breached_at, excluded.breached_at)
    WHERE t.state = 'open'
$$;
