-- MCP servers of a tenant, and their tools: what each server lists, and what a person approved of it.
CREATE TABLE mcp_servers (
    tenant_id text NOT NULL,
    server text NOT NULL,
    draft_sealed bytea NOT NULL,
    revision integer NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    checked_at timestamptz,
    problem text,
    PRIMARY KEY (tenant_id, server)
);

-- A tool's two listings, the approved one and the one seen last, are sealed: a server may write anything into them.
CREATE TABLE mcp_tools (
    tenant_id text NOT NULL,
    server text NOT NULL,
    tool text NOT NULL,
    wire_name text NOT NULL,
    state text NOT NULL,
    seen_sealed bytea,
    approved_sealed bytea,
    quarantined_at timestamptz,
    reason text,
    PRIMARY KEY (tenant_id, server, tool),
    FOREIGN KEY (tenant_id, server) REFERENCES mcp_servers,
    CHECK (state IN ('found', 'approved', 'quarantined', 'gone'))
);
CREATE UNIQUE INDEX mcp_tools_by_wire_name ON mcp_tools (tenant_id, wire_name);

-- Tokens of an OAuth server, sealed.
CREATE TABLE mcp_tokens (
    tenant_id text NOT NULL,
    server text NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, server),
    FOREIGN KEY (tenant_id, server) REFERENCES mcp_servers
);

-- Authorizations under way, found by the digest of their state and taken once, by the person who began them.
CREATE TABLE mcp_authorizations (
    tenant_id text NOT NULL,
    state_digest text NOT NULL,
    principal text NOT NULL,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, state_digest)
);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['mcp_servers', 'mcp_tools', 'mcp_tokens', 'mcp_authorizations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I
            USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
            WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))$policy$, v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO standfast_app', v_table);
    END LOOP;
END $$;
