-- Inbound webhooks: sources, their secrets, the requests they sent, and the steps that listen for signals from outside.

-- The id is the address: 128 random bits. A removed hook keeps its row, so that what it sent is still known, and frees its name.
CREATE TABLE hooks (
    tenant_id text NOT NULL REFERENCES tenants,
    hook text NOT NULL,
    name text NOT NULL,
    scheme text NOT NULL CHECK (scheme IN ('standard-webhooks', 'github', 'stripe', 'slack')),
    rules json NOT NULL,
    enabled boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, hook)
);
CREATE UNIQUE INDEX hooks_by_name ON hooks (tenant_id, name) WHERE removed_at IS NULL;

CREATE TABLE hook_secrets (
    tenant_id text NOT NULL,
    hook text NOT NULL,
    secret_id text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, hook, secret_id),
    FOREIGN KEY (tenant_id, hook) REFERENCES hooks
);

-- A request counts once, by its id, and by its content where the scheme does not sign the id. `first` is the state it was accepted in:
-- its answer tells that for ever. `held` is sealed, and gone when the request is done.
CREATE TABLE hook_requests (
    tenant_id text NOT NULL,
    hook text NOT NULL,
    webhook_id text NOT NULL,
    content text NOT NULL,
    first text NOT NULL,
    state text NOT NULL CHECK (state IN ('started', 'waiting', 'sending', 'delivered', 'ignored', 'dead')),
    run text,
    correlation_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    detail text,
    held bytea,
    PRIMARY KEY (tenant_id, hook, webhook_id),
    FOREIGN KEY (tenant_id, hook) REFERENCES hooks
);
CREATE UNIQUE INDEX hook_requests_by_content ON hook_requests (tenant_id, hook, content);
CREATE INDEX hook_requests_by_time ON hook_requests (tenant_id, hook, received_at, webhook_id);
CREATE INDEX hook_requests_unsettled ON hook_requests (tenant_id, tried_at) WHERE state IN ('waiting', 'sending');

-- Steps that listen: `hash` is an HMAC of signal and key. `taken_by` is the request that has claimed the listener.
CREATE TABLE listeners (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    signal text NOT NULL,
    hash text NOT NULL,
    opened boolean NOT NULL,
    epoch integer NOT NULL,
    fact_seq integer NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_by text,
    PRIMARY KEY (tenant_id, run, step, visit),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX listeners_open ON listeners (tenant_id, hash, opened_at) WHERE opened AND taken_by IS NULL;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['hooks', 'hook_secrets', 'hook_requests', 'listeners'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON hooks, hook_requests, listeners TO standfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON hook_secrets TO standfast_app;

-- Whose an address is: asked before a tenant is known, like find_api_key. It tells nothing but that.
CREATE FUNCTION find_hook(p_hook text, OUT tenant_id text)
RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id FROM public.tenants t JOIN public.hooks h ON h.tenant_id = t.tenant_id
    WHERE h.hook = p_hook AND h.enabled AND h.removed_at IS NULL
$$;
REVOKE ALL ON FUNCTION find_hook(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_hook(text) TO standfast_app;
GRANT SELECT ON hooks TO standfast_definer;
GRANT CREATE ON SCHEMA public TO standfast_definer;
ALTER FUNCTION find_hook(text) OWNER TO standfast_definer;
REVOKE CREATE ON SCHEMA public FROM standfast_definer;
