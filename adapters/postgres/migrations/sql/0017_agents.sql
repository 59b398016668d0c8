-- Registered agents and prompts: a version never changes; its status does, and every change of it is kept.
CREATE TABLE agents (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    manifest json NOT NULL,
    owner text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'review', 'approved', 'deprecated', 'retired')),
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered_by text NOT NULL,
    PRIMARY KEY (tenant_id, name, version)
);

-- The moves of a version between statuses, from 1; the first one is its registration, which comes from nowhere.
CREATE TABLE agent_moves (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    place integer NOT NULL CHECK (place >= 1),
    before text,
    after text NOT NULL,
    principal text NOT NULL,
    comment text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, name, version, place),
    FOREIGN KEY (tenant_id, name, version) REFERENCES agents
);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['agents', 'agent_moves'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE (status) ON agents TO standfast_app;
GRANT SELECT, INSERT ON agent_moves TO standfast_app;
