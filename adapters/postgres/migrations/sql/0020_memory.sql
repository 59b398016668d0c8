-- What outlives a turn and a run: the files of a run's workspace, and what agents remember across runs.

-- A file of a run's workspace. Its content is a payload of the run; `meta_sealed` holds path, size and digest under the run's key, and
-- `path_digest` finds it without telling its name.
CREATE TABLE workspace_files (
    tenant_id text NOT NULL,
    run text NOT NULL,
    path_digest text NOT NULL,
    ref text NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    meta_sealed bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, run, path_digest),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);

-- What a run saved to memory. The text is sealed under the run's key; the vector is not, and goes with it. `quarantine` is why it is not
-- recalled. Vectors of different embedders are never compared.
CREATE TABLE memory_records (
    tenant_id text NOT NULL,
    record text NOT NULL,
    namespace text NOT NULL,
    run text NOT NULL,
    agent text,
    embedder text NOT NULL,
    embedding real[] NOT NULL,
    labels text[] NOT NULL,
    quarantine text CHECK (quarantine IN ('suspicious', 'operator')),
    reviewed_by text,
    sealed bytea NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, record),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX memory_records_by_namespace ON memory_records (tenant_id, namespace, embedder, record);
CREATE INDEX memory_records_by_run ON memory_records (tenant_id, run);

-- Which run started which, by the tool run.start; `depth` is how many runs stand above.
CREATE TABLE child_runs (
    tenant_id text NOT NULL,
    run text NOT NULL,
    parent text NOT NULL,
    depth integer NOT NULL CHECK (depth >= 1),
    PRIMARY KEY (tenant_id, run),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX child_runs_by_parent ON child_runs (tenant_id, parent, run);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['workspace_files', 'memory_records', 'child_runs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON workspace_files, memory_records TO standfast_app;
GRANT SELECT, INSERT ON child_runs TO standfast_app;

-- When a run's content goes, by erasure or after its term, its files and what it remembered go in the same transaction.
CREATE FUNCTION forget_what_a_run_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM workspace_files f WHERE f.tenant_id = NEW.tenant_id AND f.run = NEW.run;
    DELETE FROM memory_records m WHERE m.tenant_id = NEW.tenant_id AND m.run = NEW.run;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_forget AFTER UPDATE OF erased_at ON runs
    FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL) EXECUTE FUNCTION forget_what_a_run_kept();
