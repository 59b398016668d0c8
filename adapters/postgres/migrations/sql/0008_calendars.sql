-- Working-hours calendars, substitutes of reviewers, and what the inbox filters by (DESIGN §7).

-- A calendar's versions; one never changes. Retiring a name takes all of its versions out of use and leaves them readable by number.
CREATE TABLE calendars (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    calendar json NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz,
    PRIMARY KEY (tenant_id, name, version)
);

-- Who decides in whose place, and when: `roles` narrows it to some of the reviewer's roles, none named means all.
CREATE TABLE substitutes (
    tenant_id text NOT NULL,
    substitution text NOT NULL,
    reviewer text NOT NULL,
    substitute text NOT NULL CHECK (substitute <> reviewer),
    roles text[] NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > since),
    set_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_by text,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, substitution),
    FOREIGN KEY (tenant_id, reviewer) REFERENCES principals (tenant_id, principal),
    FOREIGN KEY (tenant_id, substitute) REFERENCES principals (tenant_id, principal)
);
CREATE INDEX substitutes_standing ON substitutes (tenant_id, substitute, until) WHERE ended_at IS NULL;
CREATE INDEX substitutes_by_reviewer ON substitutes (tenant_id, reviewer, since, substitution);

-- The inbox sorts by `due`: approvals without a deadline come last. `assignee` is a hint to people and gives no authority.
ALTER TABLE approvals
    ADD COLUMN due timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(deadline, '9999-12-31 00:00:00+00'::timestamptz)) STORED,
    ADD COLUMN assignee text,
    ADD COLUMN assigned_by text,
    ADD COLUMN assigned_at timestamptz;
DROP INDEX approvals_by_deadline;
CREATE INDEX approvals_by_due ON approvals (tenant_id, state, due, approval);
CREATE INDEX approvals_by_opening ON approvals (tenant_id, state, opened_at, approval);
CREATE INDEX approvals_decided ON approvals (tenant_id, definition, decided_at, approval) WHERE decided_at IS NOT NULL;

-- What the inbox filters by, one row for each value of an approval: any filter is then an equality, which row-level security lets use an
-- index, and the index gives its rows in the order of the page.
CREATE TABLE approval_facets (
    tenant_id text NOT NULL,
    approval text NOT NULL,
    facet text NOT NULL CHECK (facet IN ('role', 'delegate', 'definition', 'run', 'requester', 'assignee', 'tool', 'decider')),
    value text NOT NULL,
    state text NOT NULL,
    due timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, approval, facet, value),
    FOREIGN KEY (tenant_id, approval) REFERENCES approvals (tenant_id, approval)
);
CREATE INDEX approval_facets_by_due ON approval_facets (tenant_id, facet, value, state, due, approval);
CREATE INDEX approval_facets_by_opening ON approval_facets (tenant_id, facet, value, state, opened_at, approval);

CREATE FUNCTION add_approval_facets(p_approval approvals) RETURNS void LANGUAGE sql AS $$
    INSERT INTO approval_facets (tenant_id, approval, facet, value, state, due, opened_at)
    SELECT p_approval.tenant_id, p_approval.approval, v.facet, v.value, p_approval.state, p_approval.due, p_approval.opened_at
    FROM (
        SELECT 'role', unnest(p_approval.reviewer_roles)
        UNION SELECT 'delegate', unnest(p_approval.delegates)
        UNION SELECT 'definition', p_approval.definition
        UNION SELECT 'run', p_approval.run
        UNION SELECT 'requester', p_approval.requester
        UNION SELECT 'assignee', p_approval.assignee
    ) AS v(facet, value)
    WHERE v.value IS NOT NULL
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION keep_approval_facets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM approval_facets f WHERE f.tenant_id = NEW.tenant_id AND f.approval = NEW.approval AND (
            (f.facet = 'role' AND f.value <> ALL (NEW.reviewer_roles)) OR (f.facet = 'delegate' AND f.value <> ALL (NEW.delegates))
            OR (f.facet = 'assignee' AND f.value IS DISTINCT FROM NEW.assignee));
        UPDATE approval_facets f SET state = NEW.state, due = NEW.due
            WHERE f.tenant_id = NEW.tenant_id AND f.approval = NEW.approval AND (f.state, f.due) IS DISTINCT FROM (NEW.state, NEW.due);
    END IF;
    PERFORM add_approval_facets(NEW);
    RETURN NULL;
END $$;

-- Who has decided, each reviewer of a quorum: the inbox shows people their own decisions.
CREATE FUNCTION add_decider_facet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO approval_facets (tenant_id, approval, facet, value, state, due, opened_at)
        SELECT a.tenant_id, a.approval, 'decider', NEW.principal, a.state, a.due, a.opened_at FROM approvals a
        WHERE a.tenant_id = NEW.tenant_id AND a.approval = NEW.approval
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- The bound tools are known where an approval is opened or amended, and sealed in its row.
ALTER FUNCTION open_approval(text, text, json, bytea) RENAME TO open_approval_row;
CREATE FUNCTION open_approval(p_tenant text, p_run text, p_fields json, p_sealed bytea) RETURNS void LANGUAGE sql AS $$
    SELECT open_approval_row(p_tenant, p_run, p_fields, p_sealed);
    INSERT INTO approval_facets (tenant_id, approval, facet, value, state, due, opened_at)
        SELECT a.tenant_id, a.approval, 'tool', t.tool, a.state, a.due, a.opened_at
        FROM approvals a CROSS JOIN json_array_elements_text(p_fields->'tools') AS t(tool)
        WHERE a.tenant_id = p_tenant AND a.approval = p_fields->>'approval' AND a.run = p_run
        ON CONFLICT DO NOTHING;
$$;

-- Row security is forced on the owner too, who reads the rows of every tenant here. Tools of older approvals are sealed and not known.
ALTER TABLE approvals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE decisions NO FORCE ROW LEVEL SECURITY;
SELECT add_approval_facets(a) FROM approvals a;
INSERT INTO approval_facets (tenant_id, approval, facet, value, state, due, opened_at)
    SELECT DISTINCT a.tenant_id, a.approval, 'decider', d.principal, a.state, a.due, a.opened_at
    FROM approvals a JOIN decisions d USING (tenant_id, approval) WHERE d.state = 'accepted';
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
ALTER TABLE approvals FORCE ROW LEVEL SECURITY;

CREATE TRIGGER approvals_faceted AFTER INSERT OR UPDATE OF state, deadline, reviewer_roles, delegates, assignee ON approvals
    FOR EACH ROW EXECUTE FUNCTION keep_approval_facets();
CREATE TRIGGER decisions_faceted AFTER UPDATE OF state ON decisions
    FOR EACH ROW WHEN (NEW.state = 'accepted') EXECUTE FUNCTION add_decider_facet();

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['calendars', 'substitutes', 'approval_facets'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON calendars, substitutes TO standfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON approval_facets TO standfast_app;
