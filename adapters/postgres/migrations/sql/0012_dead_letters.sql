-- Dead letters: what was given up, until a person redrives or discards it. Runs and effects add theirs in the transaction that gives them
-- up, by triggers; others by dead_letter_add or the store.

-- `error` keeps the code in plain text and the detail sealed for `error_place`. `added_at` and `last_order` say what a redrive of many
-- takes: what was there when it was ordered, each once. `refused` is the code with which the last redrive was refused.
CREATE TABLE dead_letters (
    tenant_id text NOT NULL,
    dead_letter text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('run', 'effect', 'delivery', 'schedule', 'hook')),
    subject text NOT NULL,
    occasion text NOT NULL,
    run text,
    definition text,
    step text,
    cause text NOT NULL,
    error json NOT NULL,
    error_place text NOT NULL,
    attempts integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    payload_ref text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
    closed_by text,
    reason_sealed bytea,
    closed_at timestamptz,
    lease_until timestamptz,
    last_order text,
    refused text,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, dead_letter),
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX dead_letters_by_state ON dead_letters (tenant_id, state, last_at, dead_letter);
CREATE INDEX dead_letters_by_time ON dead_letters (tenant_id, last_at, dead_letter);
CREATE INDEX dead_letters_by_run ON dead_letters (tenant_id, run) WHERE run IS NOT NULL;

-- Redrives of many, a few a second; the gateways' sweepers carry them out.
CREATE TABLE dead_letter_redrives (
    tenant_id text NOT NULL,
    redrive text NOT NULL,
    kind text,
    cause text,
    definition text,
    since timestamptz,
    rate double precision NOT NULL CHECK (rate > 0),
    reason_sealed bytea,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    redriven integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, redrive)
);
CREATE INDEX dead_letter_redrives_open ON dead_letter_redrives (tenant_id, next_at) WHERE finished_at IS NULL;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['dead_letters', 'dead_letter_redrives'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant_rows ON %I USING (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''standfast.tenant'', true), ''''))', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON dead_letters, dead_letter_redrives TO standfast_app;

-- domain/dead_letters.dead_letter_id: 16 bytes of SHA-256, marked as UUIDv8, in lower-case Crockford base32.
CREATE FUNCTION dead_letter_id(p_tenant text, p_kind text, p_subject text, p_occasion text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'dlq_' || string_agg(
        substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + substring(b.bits FROM 1 + 5 * i FOR 5)::bit(5)::integer, 1), '' ORDER BY i)
    FROM (SELECT B'00' || ('x' || encode(set_byte(set_byte(h.raw, 6, (get_byte(h.raw, 6) & 15) | 128), 8, (get_byte(h.raw, 8) & 63) | 128),
                'hex'))::bit(128) AS bits
            FROM (SELECT substring(sha256(convert_to('standfast:dead-letter:v1', 'UTF8') || '\x00'::bytea || convert_to(p_tenant, 'UTF8')
                || '\x00'::bytea || convert_to(p_kind, 'UTF8') || '\x00'::bytea || convert_to(p_subject, 'UTF8') || '\x00'::bytea
                || convert_to(p_occasion, 'UTF8')) FROM 1 FOR 16) AS raw) h) b,
        generate_series(0, 25) AS i
$$;

-- Adds one and returns its id; the same failure again changes nothing. p_error has `code`, and `detail` in plain text or `sealed` for
-- p_error_place ('' for a plain one).
CREATE FUNCTION dead_letter_add(
    p_tenant text, p_kind text, p_subject text, p_occasion text, p_run text, p_definition text, p_step text, p_error json,
    p_error_place text, p_attempts integer, p_first_at timestamptz, p_last_at timestamptz, p_payload_ref text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_id text := dead_letter_id(p_tenant, p_kind, p_subject, p_occasion);
BEGIN
    INSERT INTO dead_letters (tenant_id, dead_letter, kind, subject, occasion, run, definition, step, cause, error, error_place, attempts,
        first_at, last_at, payload_ref)
    VALUES (p_tenant, v_id, p_kind, p_subject, p_occasion, p_run, p_definition, p_step, coalesce(p_error->>'code', 'internal'), p_error,
        p_error_place, p_attempts, p_first_at, p_last_at, p_payload_ref)
    ON CONFLICT (tenant_id, dead_letter) DO NOTHING;
    RETURN v_id;
END $$;

-- An open dead letter of a run: nothing it is about is purged unseen.
CREATE FUNCTION open_dead_letter(p_tenant text, p_run text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT d.dead_letter FROM dead_letters d WHERE d.tenant_id = p_tenant AND d.run = p_run AND d.state = 'open' LIMIT 1
$$;

-- A run that ended badly is a dead letter, unless people wanted it so (domain/dead_letters.WANTED), or the effect that ended it is one.
CREATE FUNCTION run_gives_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_code text := coalesce(NEW.error->>'code', 'run-' || replace(NEW.status, '_', '-'));
    v_step text := NEW.error->>'step';
    v_tried record;
BEGIN
    IF NEW.closed_at IS NULL THEN
        UPDATE dead_letters SET state = 'redriven', closed_at = clock_timestamp(), lease_until = NULL
            WHERE tenant_id = NEW.tenant_id AND run = NEW.run AND kind IN ('run', 'effect') AND state = 'open';
        RETURN NULL;
    END IF;
    IF v_code IN ('approval-rejected', 'approval-withdrawn', 'compensated-by-hand', 'run-cancelled')
        OR EXISTS (SELECT FROM dead_letters d WHERE d.tenant_id = NEW.tenant_id AND d.run = NEW.run AND d.kind = 'effect'
            AND d.state = 'open' AND d.step = v_step AND d.cause IN ('effect-in-doubt', 'effect-divergent'))
    THEN
        RETURN NULL;
    END IF;
    SELECT max(e.attempt) AS attempts, min(e.started_at) AS first_at INTO v_tried FROM effects e
        WHERE e.tenant_id = NEW.tenant_id AND e.run = NEW.run AND e.step = v_step;
    PERFORM dead_letter_add(NEW.tenant_id, 'run', NEW.run, coalesce(NEW.epoch, 0)::text, NEW.run, NEW.definition, v_step,
        coalesce(NEW.error, json_build_object('code', v_code, 'detail', coalesce(NEW.reason, 'the run ' || NEW.status))),
        CASE WHEN NEW.error IS NULL THEN '' ELSE 'runs/' || NEW.run || '/error' END,
        coalesce(v_tried.attempts, 1), coalesce(v_tried.first_at, NEW.created_at), NEW.closed_at, NEW.input_ref);
    RETURN NULL;
END $$;
CREATE TRIGGER runs_give_up AFTER UPDATE ON runs FOR EACH ROW
    WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.status IN ('failed', 'timed_out', 'dead', 'terminated', 'expired'))
    EXECUTE FUNCTION run_gives_up();
CREATE TRIGGER runs_go_on AFTER UPDATE ON runs FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL)
    EXECUTE FUNCTION run_gives_up();

-- An effect is a dead letter when the person who was asked about it gave it up. A saga asks before it undoes: then its call is the step's own.
CREATE FUNCTION effect_given_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_effect effects;
    v_definition text;
    v_code text := CASE NEW.kind WHEN 'in_doubt' THEN 'effect-in-doubt' WHEN 'divergent' THEN 'effect-divergent'
        ELSE 'compensation-failed' END;
BEGIN
    SELECT * INTO v_effect FROM effects e WHERE e.tenant_id = NEW.tenant_id AND e.run = NEW.run AND e.step = NEW.step
        AND e.visit = NEW.visit ORDER BY (e.call = NEW.call OR e.call LIKE NEW.call || '.%') DESC, e.started_at DESC LIMIT 1;
    SELECT definition INTO v_definition FROM runs r WHERE r.tenant_id = NEW.tenant_id AND r.run = NEW.run;
    PERFORM dead_letter_add(NEW.tenant_id, 'effect', concat_ws('/', NEW.run, NEW.step, NEW.visit, NEW.call), NEW.task, NEW.run,
        v_definition, NEW.step,
        coalesce((v_effect.error::jsonb || jsonb_build_object('code', v_code))::json, json_build_object('code', v_code, 'detail',
            concat_ws(' ', 'a person gave it up:', coalesce(v_effect.subject, 'a call'), 'of step', NEW.step))),
        CASE WHEN v_effect.error IS NULL THEN '' ELSE concat_ws('/', 'effects', NEW.run, NEW.step, NEW.visit, v_effect.call, 'error') END,
        coalesce(v_effect.attempt, 1), coalesce(v_effect.started_at, NEW.opened_at), coalesce(v_effect.ended_at, NEW.completed_at),
        v_effect.request_ref);
    RETURN NULL;
END $$;
CREATE TRIGGER effects_give_up AFTER UPDATE ON tasks FOR EACH ROW
    WHEN (OLD.state = 'open' AND NEW.state = 'completed' AND NEW.resolution = 'give_up'
        AND NEW.kind IN ('in_doubt', 'divergent', 'failed_compensation'))
    EXECUTE FUNCTION effect_given_up();
