-- Registered tools, who may call which, the audit of all calls, and the watch over them.

-- One version of a tool as a tenant has it. Without a declaration it is one of the workers' own, of which somebody said something.
CREATE TABLE tools (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'quarantined', 'retired')),
    declaration json,
    sha256 text,
    registered_by text,
    registered_at timestamptz,
    PRIMARY KEY (tenant_id, name, version)
);

-- What people, or the watch, said of a version, and why.
CREATE TABLE tool_changes (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    change integer NOT NULL CHECK (change > 0),
    state text NOT NULL,
    reason text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, name, version, change),
    FOREIGN KEY (tenant_id, name, version) REFERENCES tools
);

-- A grant that is taken back stays: its tools stay closed (domain/tool_access.py).
CREATE TABLE tool_grants (
    tenant_id text NOT NULL,
    tool_grant text NOT NULL,
    tools text[] NOT NULL,
    agents text[] NOT NULL,
    roles text[] NOT NULL,
    reason text NOT NULL,
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by text,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, tool_grant)
);

-- Every attempt at a call, made of its ledger entry in the same transaction. `txid` orders rows by commit for the watch: one whose
-- transaction is older than every open one has nothing before it that could still come.
CREATE TABLE tool_calls (
    tenant_id text NOT NULL,
    run text NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    txid bigint NOT NULL,
    tool text NOT NULL,
    version text NOT NULL,
    step text,
    call text,
    agent text,
    principal text NOT NULL,
    verdict text NOT NULL,
    code text,
    attempt integer NOT NULL,
    cost_usd_micros bigint NOT NULL,
    bytes integer NOT NULL,
    shape text[] NOT NULL,
    hosts text[] NOT NULL,
    result_digest text,
    PRIMARY KEY (tenant_id, run, seq)
);
CREATE INDEX tool_calls_by_time ON tool_calls (tenant_id, at, run, seq);
CREATE INDEX tool_calls_by_tool ON tool_calls (tenant_id, tool, at, run, seq);
CREATE INDEX tool_calls_unwatched ON tool_calls (tenant_id, txid, run, seq);

-- Who watches a tenant's calls, and how far.
CREATE TABLE tool_watches (
    tenant_id text PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
    txid bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- What is usual for a version of a tool (domain/tool_anomalies.py).
CREATE TABLE tool_baselines (
    tenant_id text NOT NULL,
    tool text NOT NULL,
    version text NOT NULL,
    baseline json NOT NULL,
    PRIMARY KEY (tenant_id, tool, version)
) WITH (fillfactor = 50);

CREATE TABLE tool_anomalies (
    tenant_id text NOT NULL,
    run text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    tool text NOT NULL,
    version text NOT NULL,
    agent text,
    detail text NOT NULL,
    at timestamptz NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    quarantined boolean NOT NULL,
    PRIMARY KEY (tenant_id, run, seq, kind)
);
CREATE INDEX tool_anomalies_by_time ON tool_anomalies (tenant_id, found_at, run, seq, kind);

-- What an entry says became of a call.
CREATE FUNCTION tool_verdict(p_kind text, p_code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_kind = 'agent:tool:called' THEN 'allowed'
        WHEN p_kind = 'agent:tool:simulated' THEN 'simulated'
        WHEN p_kind = 'worker:effect:in_doubt' THEN 'in_doubt'
        WHEN p_code = 'tool-quarantined' THEN 'quarantined'
        WHEN p_code IN ('tool-denied', 'policy-denied', 'stale-digest', 'egress-refused') THEN 'denied'
        WHEN p_kind = 'agent:tool:refused' THEN 'refused'
        ELSE 'failed'
    END
$$;

-- The audit's row of an entry about a tool call. An escaped NUL cannot become text here: such a name is no tool's. What an agent was
-- refused stands in a fact of its step, which names the agent by its place.
CREATE FUNCTION audited_call(p_entry ledger_entries, p_txid bigint) RETURNS tool_calls LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_text text := convert_from(p_entry.body, 'UTF8');
    v_body json;
    v_data json;
    v_subject text;
    v_row tool_calls;
BEGIN
    v_body := CASE WHEN position('\u0000' IN v_text) > 0 THEN '{}' ELSE v_text END;
    v_data := v_body->'data';
    v_subject := coalesce(v_data->>'subject', v_data->>'tool', '?');
    v_row.tenant_id := p_entry.tenant_id;
    v_row.run := p_entry.run;
    v_row.seq := p_entry.seq;
    v_row.at := p_entry.recorded_at;
    v_row.txid := p_txid;
    v_row.tool := split_part(v_subject, '@', 1);
    v_row.version := split_part(v_subject, '@', 2);
    v_row.step := p_entry.step;
    v_row.call := v_body->>'call';
    v_row.agent := v_data->>'agent';
    IF p_entry.kind = 'agent:tool:refused' AND v_row.agent IS NULL THEN
        SELECT r.definition || '/' || p_entry.step INTO v_row.agent FROM runs r
            WHERE r.tenant_id = p_entry.tenant_id AND r.run = p_entry.run;
    END IF;
    v_row.principal := p_entry.principal;
    v_row.code := CASE WHEN v_data->>'verdict' = 'deny' THEN 'policy-denied' ELSE v_data->>'code' END;
    v_row.verdict := tool_verdict(p_entry.kind, v_row.code);
    v_row.attempt := coalesce((v_body->>'attempt')::integer, 1);
    v_row.cost_usd_micros := coalesce((v_data->>'cost_usd_micros')::bigint, 0);
    v_row.bytes := coalesce((v_data->'form'->>'bytes')::integer, 0);
    v_row.shape := ARRAY(SELECT json_array_elements_text(v_data->'form'->'shape'));
    v_row.hosts := ARRAY(SELECT json_array_elements_text(v_data->'form'->'hosts'));
    v_row.result_digest := p_entry.payload_digest;
    RETURN v_row;
END $$;

CREATE FUNCTION audit_tool_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_row tool_calls;
BEGIN
    v_row := audited_call(NEW, pg_current_xact_id()::text::bigint);
    INSERT INTO tool_calls SELECT v_row.* ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER tool_calls_audited AFTER INSERT ON ledger_entries FOR EACH ROW
    WHEN (NEW.kind IN ('agent:tool:called', 'agent:tool:failed', 'agent:tool:refused', 'agent:tool:simulated', 'worker:effect:in_doubt'))
    EXECUTE FUNCTION audit_tool_call();

-- Calls of before are in the audit too, and nothing is learned from them (no transaction has the id 0). Row security is forced on the owner
-- too, who reads the entries of every tenant here.
ALTER TABLE ledger_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE runs NO FORCE ROW LEVEL SECURITY;
INSERT INTO tool_calls SELECT c.* FROM ledger_entries e CROSS JOIN LATERAL audited_call(e, 0) AS c
    WHERE e.kind IN ('agent:tool:called', 'agent:tool:failed', 'agent:tool:refused', 'agent:tool:simulated', 'worker:effect:in_doubt');
ALTER TABLE runs FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['tools', 'tool_changes', 'tool_grants', 'tool_calls', 'tool_watches', 'tool_baselines',
        'tool_anomalies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I
            USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
            WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))$policy$, v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON tool_changes, tool_calls, tool_anomalies TO standfast_app;
GRANT SELECT, INSERT, UPDATE ON tools, tool_grants, tool_watches, tool_baselines TO standfast_app;
