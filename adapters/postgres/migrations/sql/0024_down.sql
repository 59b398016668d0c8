-- Takes revision 0024 back. Who asked stands in the ledgers.
CREATE OR REPLACE FUNCTION audit_tool_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_row tool_calls;
BEGIN
    v_row := audited_call(NEW, pg_current_xact_id()::text::bigint);
    INSERT INTO tool_calls SELECT v_row.* ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

DROP FUNCTION registered_agent(bytea);
ALTER TABLE tool_calls DROP COLUMN registered;
