-- Money (JOURNAL §3). Each row counts one unit: usd_micros, tokens or ms. A limit of NULL is no limit.
-- Escrow: the platform holds what it granted to tenants, a tenant and a definition what they granted to runs; a step touches the
-- run's own rows. `held` is granted and not yet reported as spent, so `held + spent` never passes `hard`.

-- The operator's own limits over all tenants; one row per unit, no tenant: nobody's API shows it.
CREATE TABLE platform_budgets (
    unit text PRIMARY KEY CHECK (unit IN ('usd_micros', 'tokens', 'ms')),
    hard bigint CHECK (hard >= 0),
    period text NOT NULL DEFAULT 'total' CHECK (period IN ('total', 'day', 'month')),
    period_start timestamptz NOT NULL DEFAULT 'epoch',
    held bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO platform_budgets (unit) VALUES ('usd_micros'), ('tokens'), ('ms');

-- Limits of a tenant (name '') and of its definitions. Of a tenant's row, `allowance` is what the platform granted and is not yet
-- reported, `used` what is spent and not yet reported there.
CREATE TABLE budgets (
    tenant_id text NOT NULL REFERENCES tenants,
    scope text NOT NULL CHECK (scope IN ('tenant', 'definition')),
    name text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('usd_micros', 'tokens', 'ms')),
    hard bigint CHECK (hard >= 0),
    soft bigint CHECK (soft >= 0),
    thresholds integer[] NOT NULL DEFAULT '{50,80,100}',
    told integer NOT NULL DEFAULT 0,
    period text NOT NULL DEFAULT 'total' CHECK (period IN ('total', 'day', 'month')),
    period_start timestamptz NOT NULL DEFAULT 'epoch',
    held bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    allowance bigint NOT NULL DEFAULT 0,
    used bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, scope, name, unit)
) WITH (fillfactor = 50);

-- What a run (step '') or a step with a budget of its own may use. Of a run's row, `allowance` is what tenant and definition granted;
-- `spent` is not yet reported to them, `settled` is.
CREATE TABLE allowances (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('usd_micros', 'tokens', 'ms')),
    definition text NOT NULL,
    hard bigint CHECK (hard >= 0),
    soft bigint CHECK (soft >= 0),
    thresholds integer[] NOT NULL DEFAULT '{50,80,100}',
    told integer NOT NULL DEFAULT 0,
    allowance bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    settled bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, run, step, unit),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
) WITH (fillfactor = 50);
-- Only rows that hold a grant: what a shortage looks through. It changes with grants, not with steps.
CREATE INDEX allowances_granted ON allowances (tenant_id, unit, run) WHERE allowance > 0;

-- One effect's worst case, from its intent to its outcome. The effect's lease is its lease.
CREATE TABLE reservations (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    call text NOT NULL,
    unit text NOT NULL,
    token text NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (tenant_id, run, step, visit, call, unit)
) WITH (fillfactor = 50);

-- What was settled, once per attempt that cost something; never changed. `reserved_*` is the worst case that was foreseen.
CREATE TABLE costs (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    call text NOT NULL,
    token text NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    definition text NOT NULL,
    subject text NOT NULL,
    model text,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_usd_micros bigint NOT NULL,
    duration_ms bigint NOT NULL,
    reserved_usd_micros bigint NOT NULL,
    reserved_tokens bigint NOT NULL,
    PRIMARY KEY (tenant_id, run, step, visit, call, token)
);
CREATE INDEX costs_by_time ON costs (tenant_id, settled_at);
CREATE INDEX costs_by_model ON costs (tenant_id, model, settled_at);

-- A threshold was passed. Written with the spending that passed it; told to ledger and subscribers later, once.
CREATE TABLE budget_events (
    tenant_id text NOT NULL,
    event text NOT NULL DEFAULT gen_random_uuid()::text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    scope text NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    threshold integer NOT NULL,
    basis bigint NOT NULL,
    spent bigint NOT NULL,
    run text NOT NULL,
    told_at timestamptz,
    PRIMARY KEY (tenant_id, event)
);
CREATE INDEX budget_events_by_time ON budget_events (tenant_id, at, event);
CREATE INDEX budget_events_untold ON budget_events (tenant_id, at) WHERE told_at IS NULL;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['budgets', 'allowances', 'reservations', 'costs', 'budget_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, UPDATE ON platform_budgets TO standfast_app;
GRANT SELECT, INSERT, UPDATE ON budgets, allowances, budget_events TO standfast_app;
GRANT SELECT, INSERT, DELETE ON reservations TO standfast_app;
GRANT SELECT, INSERT ON costs TO standfast_app;
