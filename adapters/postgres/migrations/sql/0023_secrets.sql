-- Secrets of a tenant by name and environment: where each value lies, and never a value.
CREATE TABLE secret_references (
    tenant_id text NOT NULL,
    environment text NOT NULL,
    name text NOT NULL,
    reference text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, environment, name),
    CHECK (reference ~ '^(env|file|vault):')
);
ALTER TABLE secret_references ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret_references FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON secret_references
    USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON secret_references TO standfast_app;
