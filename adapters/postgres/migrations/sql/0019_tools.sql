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
        WHEN p_kind = 'agent:tool:refused' THEN 'refused'
        WHEN p_kind = 'worker:effect:in_doubt' THEN 'in_doubt'
        WHEN p_code = 'tool-quarantined' THEN 'quarantined'
        WHEN p_code IN ('tool-denied', 'policy-denied', 'stale-digest', 'egress-refused') THEN 'denied'
        ELSE 'failed'
    END
$$;

-- Makes the audit's row of an entry about a tool call. An escaped NUL cannot become text here: such a name is no tool's.
CREATE FUNCTION audit_tool_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_text text := convert_from(NEW.body, 'UTF8');
    v_body json;
    v_data json;
    v_subject text;
BEGIN
    v_body := CASE WHEN position('\u0000' IN v_text) > 0 THEN '{}' ELSE v_text END;
    v_data := v_body->'data';
    v_subject := coalesce(v_data->>'subject', v_data->>'tool', '?');
    INSERT INTO tool_calls (tenant_id, run, seq, at, txid, tool, version, step, call, agent, principal, verdict, code, attempt,
        cost_usd_micros, bytes, shape, hosts, result_digest)
    VALUES (NEW.tenant_id, NEW.run, NEW.seq, NEW.recorded_at, pg_current_xact_id()::text::bigint,
        split_part(v_subject, '@', 1), split_part(v_subject, '@', 2), NEW.step, v_body->>'call', v_data->>'agent', NEW.principal,
        tool_verdict(NEW.kind, v_data->>'code'), v_data->>'code', coalesce((v_body->>'attempt')::integer, 1),
        coalesce((v_data->>'cost_usd_micros')::bigint, 0), coalesce((v_data->'form'->>'bytes')::integer, 0),
        ARRAY(SELECT json_array_elements_text(v_data->'form'->'shape')), ARRAY(SELECT json_array_elements_text(v_data->'form'->'hosts')),
        NEW.payload_digest)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER tool_calls_audited AFTER INSERT ON ledger_entries FOR EACH ROW
    WHEN (NEW.kind IN ('agent:tool:called', 'agent:tool:failed', 'agent:tool:refused', 'agent:tool:simulated', 'worker:effect:in_doubt'))
    EXECUTE FUNCTION audit_tool_call();

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
