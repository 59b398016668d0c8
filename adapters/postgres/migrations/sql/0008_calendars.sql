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

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['calendars', 'substitutes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON calendars, substitutes TO standfast_app;
