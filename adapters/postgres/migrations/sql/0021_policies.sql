-- Policy sets of tenants, and which of them decides. A tenant without a choice has the set that comes with the platform.

CREATE TABLE policy_sets (
    tenant_id text NOT NULL,
    version text NOT NULL,
    cedar text NOT NULL,
    extends text,
    comment text NOT NULL,
    sha256 text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, version)
);

-- No foreign key: a choice whose set is missing permits nothing, and must be told from no choice at all.
CREATE TABLE policy_choices (
    tenant_id text PRIMARY KEY,
    version text NOT NULL,
    chosen_by text NOT NULL,
    chosen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Where a run's input comes from that is not its principal's own: a run that an agent started keeps what its conversation held.
ALTER TABLE runs ADD COLUMN input_labels text[] NOT NULL DEFAULT '{}';

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['policy_sets', 'policy_choices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I
            USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
            WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))$policy$, v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON policy_sets TO standfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON policy_choices TO standfast_app;
