-- Who may do what. standfast_app owns nothing and cannot bypass row-level security; without a tenant it sees no row.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['tenants', 'principals', 'api_keys', 'definitions', 'definition_versions', 'prompts', 'runs',
        'idempotency_keys', 'effects', 'ledger_entries', 'payloads', 'messages', 'approvals', 'decisions', 'tasks']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;

GRANT SELECT ON alembic_version TO standfast_app;
GRANT SELECT, INSERT ON tenants, definitions, definition_versions, prompts, ledger_entries, messages TO standfast_app;
GRANT SELECT, INSERT, UPDATE ON principals, api_keys, runs, effects, approvals, decisions, tasks TO standfast_app;
GRANT SELECT, INSERT ON payloads TO standfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO standfast_app;
GRANT SELECT ON tenants, principals, api_keys TO standfast_definer;

-- The ledger is append-only for everyone, its owner included.
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger_entries is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
