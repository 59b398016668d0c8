-- Webhooks and deliveries: subscriptions with their secrets, the relay that follows the runs' heads, deliveries and their log.

CREATE TABLE subscriptions (
    tenant_id text NOT NULL,
    subscription text NOT NULL,
    url_sealed bytea NOT NULL,
    description text NOT NULL,
    events text[] NOT NULL,
    ordered boolean NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, subscription)
);
CREATE INDEX subscriptions_by_creation ON subscriptions (tenant_id, created_at, subscription) WHERE deleted_at IS NULL;

-- A rotation leaves the secret before it valid until `expires_at`: deliveries are signed with each one that lives.
CREATE TABLE subscription_secrets (
    tenant_id text NOT NULL,
    subscription text NOT NULL,
    generation integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, subscription, generation),
    FOREIGN KEY (tenant_id, subscription) REFERENCES subscriptions
);

-- What is known of an endpoint, whatever its channel.
CREATE TABLE delivery_endpoints (
    tenant_id text NOT NULL,
    channel text NOT NULL,
    endpoint text NOT NULL,
    throttled_until timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    delivered_at timestamptz,
    failed_at timestamptz,
    PRIMARY KEY (tenant_id, channel, endpoint)
) WITH (fillfactor = 70);

-- One event on its way to one endpoint. `started_round` is the last round whose workflow exists: below `round` it is to be started.
CREATE TABLE deliveries (
    tenant_id text NOT NULL,
    delivery text NOT NULL,
    channel text NOT NULL,
    endpoint text NOT NULL,
    event text NOT NULL,
    type text NOT NULL,
    run text,
    seq bigint NOT NULL,
    document text NOT NULL,
    ordered boolean NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    reason text NOT NULL DEFAULT '',
    round integer NOT NULL DEFAULT 1,
    started_round integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz,
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, delivery)
) WITH (fillfactor = 70);
CREATE INDEX deliveries_by_endpoint ON deliveries (tenant_id, channel, endpoint, created_at, delivery);
CREATE INDEX deliveries_pending ON deliveries (tenant_id, channel, endpoint, run, seq) WHERE state = 'pending';
CREATE INDEX deliveries_over ON deliveries (tenant_id, settled_at) WHERE state IN ('delivered', 'discarded');
CREATE INDEX deliveries_unstarted ON deliveries (tenant_id, channel, endpoint, created_at) WHERE state = 'pending' AND started_round < round;

-- The delivery log. `tries` counts workers that were lost in the middle of an attempt; their rows stay open.
CREATE TABLE delivery_attempts (
    tenant_id text NOT NULL,
    delivery text NOT NULL,
    round integer NOT NULL,
    attempt integer NOT NULL,
    tries integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL DEFAULT 'open',
    status integer,
    detail text NOT NULL DEFAULT '',
    duration_ms integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, delivery, round, attempt, tries),
    FOREIGN KEY (tenant_id, delivery) REFERENCES deliveries
);

-- Who relays a tenant's ledgers; no row, and nobody does. Entries from before `since` are told to nobody.
CREATE TABLE relays (
    tenant_id text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    lease_until timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- How far each run is read: the relay reads from here to the run's head, which no sequence or id could tell it (JOURNAL §4).
CREATE TABLE relay_cursors (
    tenant_id text NOT NULL,
    run text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (tenant_id, run),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
) WITH (fillfactor = 70);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['subscriptions', 'subscription_secrets', 'delivery_endpoints', 'deliveries', 'delivery_attempts',
        'relays', 'relay_cursors'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I
            USING (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))
            WITH CHECK (tenant_id = NULLIF(current_setting('standfast.tenant', true), ''))$policy$, v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO standfast_app', v_table);
    END LOOP;
END $$;
GRANT DELETE ON subscription_secrets, deliveries, delivery_attempts TO standfast_app;
