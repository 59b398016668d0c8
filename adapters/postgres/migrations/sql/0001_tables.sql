-- The first tables (DESIGN §15). Every primary key, unique key and index starts with the tenant: unique and foreign-key
-- checks bypass row-level security (JOURNAL §5). Run rows are updated in place on the hot path, so nothing that changes
-- with each effect is indexed, and pages keep room for it.
CREATE TABLE tenants (
    tenant_id text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE principals (
    tenant_id text NOT NULL REFERENCES tenants,
    principal text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    reviewer_roles text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, principal)
);

CREATE TABLE api_keys (
    tenant_id text NOT NULL,
    key_id text NOT NULL,
    principal text NOT NULL,
    secret_hmac bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, principal) REFERENCES principals
);

CREATE TABLE definitions (
    tenant_id text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);

CREATE TABLE definition_versions (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    sha256 text NOT NULL,
    document json NOT NULL,
    input_schema json NOT NULL,
    config_schema json NOT NULL,
    config_defaults json NOT NULL,
    tools json NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    registered_by text NOT NULL,
    PRIMARY KEY (tenant_id, name, version),
    FOREIGN KEY (tenant_id, name) REFERENCES definitions
);

CREATE TABLE prompts (
    tenant_id text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    sha256 text NOT NULL,
    body text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    registered_by text NOT NULL,
    PRIMARY KEY (tenant_id, name, version)
);

CREATE TABLE runs (
    tenant_id text NOT NULL,
    run text NOT NULL,
    definition text NOT NULL,
    version text NOT NULL,
    definition_sha256 text NOT NULL,
    principal text NOT NULL,
    correlation_id text NOT NULL,
    fingerprint text NOT NULL,
    expression_engine text NOT NULL,
    status text NOT NULL,
    reason text,
    waits_for text,
    error json,
    epoch integer,
    temporal_run_id text,
    fact_head integer NOT NULL DEFAULT 0,
    projection_epoch integer NOT NULL DEFAULT -1,
    projection_fact_seq integer NOT NULL DEFAULT -1,
    head_seq bigint NOT NULL DEFAULT 0,
    head_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    input_ref text NOT NULL,
    config_ref text NOT NULL,
    result_ref text,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_usd_micros bigint NOT NULL DEFAULT 0,
    model text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    PRIMARY KEY (tenant_id, run)
) WITH (fillfactor = 70);
CREATE INDEX runs_by_creation ON runs (tenant_id, created_at, run);
CREATE INDEX runs_by_status ON runs (tenant_id, status, created_at, run);
CREATE INDEX runs_by_definition ON runs (tenant_id, definition, created_at, run);
CREATE INDEX runs_open ON runs (tenant_id, run) WHERE closed_at IS NULL;

CREATE TABLE idempotency_keys (
    tenant_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    lease_until timestamptz NOT NULL,
    status integer,
    headers json,
    sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, route, key)
);

CREATE TABLE effects (
    tenant_id text NOT NULL,
    run text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    call text NOT NULL,
    digest text NOT NULL,
    diverged_digest text,
    epoch integer NOT NULL,
    attempt integer NOT NULL,
    lease_token text NOT NULL,
    lease_until timestamptz NOT NULL,
    effect_class text NOT NULL,
    retry_class text NOT NULL,
    subject text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    request_ref text,
    output_ref text,
    output_digest text,
    error json,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_usd_micros bigint NOT NULL DEFAULT 0,
    duration_ms bigint NOT NULL DEFAULT 0,
    model text,
    PRIMARY KEY (tenant_id, run, step, visit, call)
) WITH (fillfactor = 70);

CREATE TABLE ledger_entries (
    tenant_id text NOT NULL,
    run text NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    body bytea NOT NULL,
    kind text NOT NULL,
    principal text NOT NULL,
    epoch integer NOT NULL,
    fact_seq integer,
    step text,
    payload_digest text,
    fact_digest text,
    PRIMARY KEY (tenant_id, run, seq)
);
CREATE UNIQUE INDEX ledger_entries_facts ON ledger_entries (tenant_id, run, epoch, fact_seq) WHERE fact_seq IS NOT NULL;


CREATE TABLE payloads (
    tenant_id text NOT NULL,
    ref text NOT NULL,
    run text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, ref)
);
CREATE INDEX payloads_by_run ON payloads (tenant_id, run);

CREATE TABLE messages (
    tenant_id text NOT NULL,
    run text NOT NULL,
    conversation text NOT NULL,
    ordinal integer NOT NULL,
    digest text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, run, conversation, ordinal)
);

CREATE TABLE approvals (
    tenant_id text NOT NULL,
    approval text NOT NULL,
    run text NOT NULL,
    definition text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,
    reviewer_role text NOT NULL,
    exclude_requester boolean NOT NULL,
    requester text NOT NULL,
    opened_at timestamptz NOT NULL,
    deadline timestamptz,
    sealed bytea NOT NULL,
    decision_id text,
    decided_by text,
    decided_at timestamptz,
    comment_sealed bytea,
    PRIMARY KEY (tenant_id, approval),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX approvals_by_deadline ON approvals (tenant_id, state, deadline, approval);
CREATE INDEX approvals_by_run ON approvals (tenant_id, run);

CREATE TABLE decisions (
    tenant_id text NOT NULL,
    decision_id text NOT NULL,
    run text NOT NULL,
    approval text NOT NULL,
    verdict text NOT NULL,
    digest text NOT NULL,
    comment_sealed bytea NOT NULL,
    principal text NOT NULL,
    attestation text NOT NULL,
    state text NOT NULL,
    refusal json,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, decision_id),
    FOREIGN KEY (tenant_id, approval) REFERENCES approvals
);
CREATE INDEX decisions_by_state ON decisions (tenant_id, state, stored_at);
CREATE INDEX decisions_by_approval ON decisions (tenant_id, approval);

CREATE TABLE tasks (
    tenant_id text NOT NULL,
    task text NOT NULL,
    run text NOT NULL,
    kind text NOT NULL,
    step text NOT NULL,
    visit integer NOT NULL,
    call text NOT NULL,
    state text NOT NULL,
    sealed bytea NOT NULL,
    opened_at timestamptz NOT NULL,
    resolution text,
    completed_by text,
    completed_at timestamptz,
    output_ref text,
    delivered boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, task),
    FOREIGN KEY (tenant_id, run) REFERENCES runs
);
CREATE INDEX tasks_by_state ON tasks (tenant_id, state, opened_at, task);
CREATE INDEX tasks_by_effect ON tasks (tenant_id, run, step, visit, call);
CREATE INDEX tasks_undelivered ON tasks (tenant_id, opened_at, task) WHERE NOT delivered;

-- Sealed bytes are compressed before they are encrypted: EXTERNAL spares the server a vain attempt.
ALTER TABLE payloads ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE messages ALTER COLUMN sealed SET STORAGE EXTERNAL;
