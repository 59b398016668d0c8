-- The sealer (JOURNAL §4): a Merkle log per tenant over the hashes of its ledger entries, signed tree heads, keys, anchors.

-- `unsealed` says that a run may have entries the log lacks. It is a hint that may be true for nothing and is never false for something:
-- whoever moves a run's head sets it under the run's row lock, and the sealer clears it under that lock, only when the log has the head.
-- A trigger sets it, so that no function that appends can forget to. It changes twice per burst, so steps stay heap-only updates.
ALTER TABLE runs ADD COLUMN unsealed boolean NOT NULL DEFAULT true;
CREATE INDEX runs_unsealed ON runs (tenant_id, run) WHERE unsealed;

CREATE FUNCTION mark_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.unsealed := true;
    RETURN NEW;
END $$;
CREATE TRIGGER runs_unsealed BEFORE UPDATE OF head_seq ON runs
    FOR EACH ROW WHEN (NEW.head_seq <> OLD.head_seq AND NOT OLD.unsealed) EXECUTE FUNCTION mark_unsealed();

-- Who seals a tenant now. `epoch` grows with each new holder; a sealing transaction changes this row under its own epoch, or nothing at all.
CREATE TABLE sealers (
    tenant_id text PRIMARY KEY,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The leaves, numbered from 0 by the sealer. Leaf hash = SHA-256(0x00 || entry_hash). The last leaf of a run is how far it is sealed.
CREATE TABLE ledger_leaves (
    tenant_id text NOT NULL,
    leaf_index bigint NOT NULL,
    run text NOT NULL,
    seq bigint NOT NULL,
    entry_hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, leaf_index)
);
CREATE UNIQUE INDEX ledger_leaves_by_entry ON ledger_leaves (tenant_id, run, seq);

-- Every complete subtree above the leaves: `place` counts from the left of its level. Never changes, so proofs need O(log n) reads.
CREATE TABLE ledger_nodes (
    tenant_id text NOT NULL,
    level smallint NOT NULL,
    place bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, level, place)
);

-- Public halves of the tenant's signing keys; private ones are derived from the master key and the generation, and never stored.
CREATE TABLE signing_keys (
    tenant_id text NOT NULL,
    key_id text NOT NULL,
    generation integer NOT NULL,
    public_key bytea NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);
CREATE UNIQUE INDEX signing_keys_generations ON signing_keys (tenant_id, generation);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (tenant_id) WHERE valid_to IS NULL;

CREATE TABLE tree_heads (
    tenant_id text NOT NULL,
    tree_size bigint NOT NULL,
    root_hash bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    sealer_epoch bigint NOT NULL,
    PRIMARY KEY (tenant_id, tree_size),
    FOREIGN KEY (tenant_id, key_id) REFERENCES signing_keys
);
CREATE INDEX tree_heads_by_key ON tree_heads (tenant_id, key_id, tree_size);

-- One head on its way to one anchor. Delivered at least once; a newer head makes waiting older ones needless.
CREATE TABLE anchor_deliveries (
    tenant_id text NOT NULL,
    anchor text NOT NULL,
    tree_size bigint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    error text,
    PRIMARY KEY (tenant_id, anchor, tree_size),
    FOREIGN KEY (tenant_id, tree_size) REFERENCES tree_heads
);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['sealers', 'ledger_leaves', 'ledger_nodes', 'signing_keys', 'tree_heads', 'anchor_deliveries']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON ledger_leaves, ledger_nodes, tree_heads, signing_keys TO standfast_app;
GRANT UPDATE (valid_to) ON signing_keys TO standfast_app;
GRANT SELECT, INSERT, UPDATE ON sealers, anchor_deliveries TO standfast_app;

-- Append-only for everyone, their owner included, as the ledger is.
CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER leaves_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();
CREATE TRIGGER nodes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();
CREATE TRIGGER heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tree_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();
