-- Redrives and forks: where a run comes from, and starts that carry state until their workflow has started (JOURNAL §2.7, §8).

ALTER TABLE runs ADD COLUMN parent_run text, ADD COLUMN fork_step text, ADD COLUMN fork_effects text;
CREATE INDEX runs_by_parent ON runs (tenant_id, parent_run) WHERE parent_run IS NOT NULL;

CREATE TABLE continuations (
    tenant_id text NOT NULL,
    run text NOT NULL,
    epoch integer NOT NULL,
    kind text NOT NULL,
    after_temporal_run_id text NOT NULL,
    start_ref text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL,
    started_at timestamptz,
    PRIMARY KEY (tenant_id, run, epoch),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX continuations_unstarted ON continuations (tenant_id, created_at) WHERE started_at IS NULL;

ALTER TABLE continuations ENABLE ROW LEVEL SECURITY;
ALTER TABLE continuations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON continuations USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE ON continuations TO standfast_app;
