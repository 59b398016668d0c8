-- Channels to reviewers: where a tenant wants approvals and tasks told. Addresses are sealed under the tenant's key.
CREATE TABLE channels (
    tenant_id text NOT NULL,
    channel text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    reviewer_role text,
    principal text,
    target_sealed bytea,
    events text[] NOT NULL,
    enabled boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, channel),
    CHECK (reviewer_role IS NULL OR principal IS NULL),
    CHECK (coalesce(reviewer_role, principal) IS NOT NULL OR target_sealed IS NOT NULL)
);
CREATE UNIQUE INDEX channels_by_name ON channels (tenant_id, name);

-- Where reviewers are reached, one address for each kind of channel.
CREATE TABLE reviewer_contacts (
    tenant_id text NOT NULL,
    principal text NOT NULL,
    kind text NOT NULL,
    address_sealed bytea NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, principal, kind),
    FOREIGN KEY (tenant_id, principal) REFERENCES principals
);

-- Generations of the keys that sign review links; the keys themselves are derived, never stored. No row: the first one alone counts.
CREATE TABLE review_link_keys (
    tenant_id text NOT NULL,
    generation integer NOT NULL CHECK (generation >= oldest),
    oldest integer NOT NULL CHECK (oldest >= 1),
    rotated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id)
);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['channels', 'reviewer_contacts', 'review_link_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON channels, reviewer_contacts TO standfast_app;
GRANT SELECT, INSERT, UPDATE ON review_link_keys TO standfast_app;
