-- What a tenant's words for models stand for (DESIGN §9): the model, and the chain behind it. Runs keep what a word stood for at their start.
CREATE TABLE model_aliases (
    tenant_id text NOT NULL,
    alias text NOT NULL,
    meaning json NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, alias)
);

ALTER TABLE model_aliases ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_aliases FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON model_aliases
    USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON model_aliases TO standfast_app;
