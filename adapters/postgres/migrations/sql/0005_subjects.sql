-- Data subjects, their keys, erasures, retention and legal holds (JOURNAL §4).

-- Each run has one data subject, itself unless one was named; `subject` is a pseudonym and never the name. `subject_key` is the key that
-- seals what the run stores; null for runs accepted before this revision, whose bytes the tenant's key seals. `erased_at` says that
-- content and key are gone; `residue` that objects and Temporal histories still have to go, and how many there were when that began.
ALTER TABLE runs ADD COLUMN subject text, ADD COLUMN subject_key text, ADD COLUMN erased_at timestamptz, ADD COLUMN erasure text,
    ADD COLUMN residue boolean NOT NULL DEFAULT false, ADD COLUMN residue_objects bigint, ADD COLUMN residue_histories bigint;
CREATE INDEX runs_by_subject ON runs (tenant_id, subject, run);
CREATE INDEX runs_purgeable ON runs (tenant_id, closed_at, run) WHERE closed_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX runs_with_residue ON runs (tenant_id, run) WHERE residue;

-- Keys of data subjects: 32 random bytes, wrapped under the tenant's key. Destroying one empties `wrapped`; the row stays as evidence.
-- A person who comes again after an erasure gets a new key: at most one lives.
CREATE TABLE subject_keys (
    tenant_id text NOT NULL,
    key_id text NOT NULL,
    subject text NOT NULL,
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX subject_keys_live ON subject_keys (tenant_id, subject) WHERE destroyed_at IS NULL;

-- What was removed, when and by whom; one row for each erasure and each purge, their certificate. Counts are of rows removed or emptied.
CREATE TABLE erasures (
    tenant_id text NOT NULL,
    erasure text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('erase', 'anonymise', 'purge')),
    subject text,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    runs integer NOT NULL,
    subject_keys integer NOT NULL,
    payloads bigint NOT NULL,
    messages bigint NOT NULL,
    approvals integer NOT NULL,
    tasks integer NOT NULL,
    answers integer NOT NULL,
    objects bigint NOT NULL DEFAULT 0,
    histories integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, erasure)
);
CREATE INDEX erasures_by_time ON erasures (tenant_id, requested_at, erasure);
CREATE INDEX erasures_open ON erasures (tenant_id, erasure) WHERE completed_at IS NULL;

-- How long closed runs keep their content: of one definition, or of all others (definition ''). No rule: for ever.
CREATE TABLE retention_rules (
    tenant_id text NOT NULL,
    definition text NOT NULL,
    keep_days integer NOT NULL CHECK (keep_days BETWEEN 1 AND 36500),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, definition)
);

-- Legal holds: while one stands, nothing in its scope is removed. `name` is a run, a data subject's pseudonym, a definition, or ''.
CREATE TABLE legal_holds (
    tenant_id text NOT NULL,
    hold text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('tenant', 'definition', 'subject', 'run')),
    name text NOT NULL,
    reason_sealed bytea NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_by text,
    released_at timestamptz,
    PRIMARY KEY (tenant_id, hold)
);
CREATE INDEX legal_holds_standing ON legal_holds (tenant_id, scope, name) WHERE released_at IS NULL;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['subject_keys', 'erasures', 'retention_rules', 'legal_holds'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON subject_keys, erasures, legal_holds TO standfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON retention_rules TO standfast_app;
GRANT DELETE ON payloads, messages TO standfast_app;

-- Whether a legal hold covers a run.
CREATE FUNCTION run_is_held(p_tenant text, p_run text, p_subject text, p_definition text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM legal_holds h WHERE h.tenant_id = p_tenant AND h.released_at IS NULL AND (
        h.scope = 'tenant' OR (h.scope = 'run' AND h.name = p_run) OR (h.scope = 'subject' AND h.name = p_subject)
        OR (h.scope = 'definition' AND h.name = p_definition)))
$$;

-- When a run's content may be purged: null while it is open, and where no rule says how long it is kept.
CREATE FUNCTION purgeable_at(p_tenant text, p_definition text, p_closed_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT p_closed_at + r.keep_days * interval '1 day' FROM retention_rules r
        WHERE r.tenant_id = p_tenant AND r.definition IN (p_definition, '') ORDER BY r.definition DESC LIMIT 1
$$;

-- The last guard: no content goes while its run is open or under a legal hold, whoever asks.
CREATE FUNCTION refuse_early_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT g.tenant_id, g.run FROM gone g) AS o JOIN runs r USING (tenant_id, run)
        WHERE r.closed_at IS NULL OR run_is_held(r.tenant_id, r.run, coalesce(r.subject, r.run), r.definition))
    THEN
        RAISE EXCEPTION 'content of an open run, or of one under legal hold, is not removed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payloads_kept AFTER DELETE ON payloads REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_early_removal();
CREATE TRIGGER messages_kept AFTER DELETE ON messages REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_early_removal();
