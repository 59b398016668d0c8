-- The registered agent that asked stands in the audit's own row: a search for it read every entry of the ledger.
ALTER TABLE tool_calls ADD COLUMN registered text;

-- The registered agent that an entry about a call names. An escaped NUL cannot become text here: such an entry names none.
CREATE FUNCTION registered_agent(p_body bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN position('\u0000' IN convert_from(p_body, 'UTF8')) > 0 THEN NULL
        ELSE convert_from(p_body, 'UTF8')::json->'data'->>'registered' END
$$;

CREATE OR REPLACE FUNCTION audit_tool_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_row tool_calls;
BEGIN
    v_row := audited_call(NEW, pg_current_xact_id()::text::bigint);
    v_row.registered := registered_agent(NEW.body);
    INSERT INTO tool_calls SELECT v_row.* ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Calls of before have it too. Row security is forced on the owner too, who reads the entries of every tenant here.
ALTER TABLE ledger_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tool_calls NO FORCE ROW LEVEL SECURITY;
UPDATE tool_calls c SET registered = registered_agent(e.body) FROM ledger_entries e
    WHERE e.tenant_id = c.tenant_id AND e.run = c.run AND e.seq = c.seq AND c.agent IS NOT NULL
        AND position('"registered"' IN convert_from(e.body, 'UTF8')) > 0;
ALTER TABLE tool_calls FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries FORCE ROW LEVEL SECURITY;
