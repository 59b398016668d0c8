-- Reserve before an effect, settle after it, give back before a wait and at the end (JOURNAL §3).

-- Holds p_amount of one unit against the run and every step around p_step that has a budget. All of them or none; `held` is less than
-- asked only with p_partial. c_steps and c_hards are the budgets of the definition that apply ('' is the run's).
CREATE FUNCTION budget_hold(
    p_tenant text, p_run text, p_step text, p_unit text, p_amount bigint, c_steps text[], c_hards bigint[], p_forced boolean,
    p_partial boolean, OUT held bigint, OUT refused text)
LANGUAGE plpgsql AS $$
DECLARE
    v_definition text;
    v_tight allowances;
    v_left bigint;
    v_lack bigint;
    v_grant record;
BEGIN
    held := p_amount;
    IF c_steps <@ ARRAY[''] THEN
        -- The step path: one conditional update of the run's own row.
        UPDATE allowances a SET reserved = a.reserved + p_amount, updated_at = clock_timestamp()
            WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit
                AND a.reserved + a.spent + p_amount <= a.allowance
                AND (a.hard IS NULL OR a.reserved + a.spent + a.settled + p_amount <= a.hard);
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    SELECT r.definition INTO v_definition FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run;
    INSERT INTO allowances (tenant_id, run, step, unit, definition, hard)
        SELECT p_tenant, p_run, c.step, p_unit, v_definition, c.hard
        FROM (SELECT '' AS step, NULL::bigint AS hard WHERE NOT ('' = ANY (c_steps)) UNION ALL
            SELECT u.step, u.hard FROM unnest(c_steps, c_hards) AS u(step, hard)) AS c
        ORDER BY c.step ON CONFLICT DO NOTHING;
    PERFORM 1 FROM allowances a WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.unit = p_unit
        AND (a.step = '' OR a.step = p_step OR starts_with(p_step, a.step || '.')) ORDER BY a.step FOR NO KEY UPDATE;
    SELECT a.* INTO v_tight FROM allowances a WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.unit = p_unit AND a.hard IS NOT NULL
        AND (a.step = '' OR a.step = p_step OR starts_with(p_step, a.step || '.'))
        ORDER BY a.hard - a.reserved - a.spent - a.settled LIMIT 1;
    v_left := v_tight.hard - v_tight.reserved - v_tight.spent - v_tight.settled;
    IF v_left < held AND NOT p_forced THEN
        IF NOT p_partial OR v_left <= 0 THEN
            refused := budget_refusal(CASE v_tight.step WHEN '' THEN 'this run' ELSE 'step ' || v_tight.step END, p_unit, p_amount, v_left,
                v_tight.hard);
            RETURN;
        END IF;
        held := v_left;
    END IF;
    SELECT a.reserved + a.spent + held - a.allowance INTO v_lack FROM allowances a
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit;
    IF v_lack > 0 THEN
        v_grant := budget_grant(p_tenant, p_run, v_definition, p_unit, v_lack, p_forced, p_partial);
        PERFORM budget_report(p_tenant, p_run, p_unit, false);
        held := held - greatest(v_lack - v_grant.granted, 0);
        IF v_grant.refused IS NOT NULL AND NOT (p_partial AND held > 0) THEN
            refused := v_grant.refused;
            RETURN;
        END IF;
    END IF;
    UPDATE allowances a SET reserved = a.reserved + held, updated_at = clock_timestamp()
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.unit = p_unit
            AND (a.step = '' OR a.step = p_step OR starts_with(p_step, a.step || '.'));
END $$;

-- Ends what one effect holds of one unit and counts what it really used; what passes the allowance is granted whatever the limits
-- say: it is spent already.
CREATE FUNCTION budget_count(p_tenant text, p_run text, p_step text, p_unit text, p_held bigint, p_used bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_over bigint;
    v_definition text;
BEGIN
    UPDATE allowances a SET reserved = a.reserved - p_held, spent = a.spent + p_used, updated_at = clock_timestamp(),
        told = CASE WHEN p_used > 0 AND coalesce(a.soft, a.hard) > 0 THEN budget_tell(p_tenant, p_run,
            CASE a.step WHEN '' THEN 'run' ELSE 'step' END, CASE a.step WHEN '' THEN a.run ELSE a.run || '/' || a.step END, p_unit,
            coalesce(a.soft, a.hard), a.spent + a.settled + p_used, a.thresholds, a.told) ELSE a.told END
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.unit = p_unit
            AND (a.step = '' OR a.step = p_step OR starts_with(p_step, a.step || '.'));
    IF NOT FOUND AND p_used > 0 THEN
        INSERT INTO allowances (tenant_id, run, step, unit, definition, spent)
            SELECT p_tenant, p_run, '', p_unit, r.definition, p_used FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run;
    END IF;
    IF p_used > p_held THEN
        SELECT a.reserved + a.spent - a.allowance, a.definition INTO v_over, v_definition FROM allowances a
            WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit;
        IF v_over > 0 THEN
            PERFORM budget_grant(p_tenant, p_run, v_definition, p_unit, v_over, true, false);
        END IF;
    ELSIF p_used < p_held AND EXISTS (SELECT FROM allowances a JOIN budgets b ON b.tenant_id = p_tenant AND b.unit = p_unit
            AND ((b.scope = 'tenant' AND b.name = '') OR (b.scope = 'definition' AND b.name = a.definition))
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit AND b.held + b.spent > b.hard) THEN
        -- A limit was lowered below what was held: what comes free goes back at once.
        PERFORM budget_report(p_tenant, p_run, p_unit, true);
    END IF;
END $$;

-- Lets go of what an effect, or with p_step NULL every effect of a run, still holds.
CREATE FUNCTION budget_release(p_tenant text, p_run text, p_step text, p_visit integer, p_call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_one reservations;
BEGIN
    FOR v_one IN DELETE FROM reservations v WHERE v.tenant_id = p_tenant AND v.run = p_run
        AND (p_step IS NULL OR (v.step = p_step AND v.visit = p_visit AND v.call = p_call)) RETURNING v.*
    LOOP
        PERFORM budget_count(p_tenant, p_run, v_one.step, v_one.unit, v_one.amount, 0);
    END LOOP;
END $$;

-- Whether a limit on this unit applies to the run.
CREATE FUNCTION budget_limited(p_tenant text, p_run text, p_unit text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM budgets b WHERE b.tenant_id = p_tenant AND b.scope = 'tenant' AND b.name = '' AND b.unit = p_unit
            AND (b.hard IS NOT NULL OR b.soft IS NOT NULL))
        OR EXISTS (SELECT FROM runs r JOIN budgets b ON b.tenant_id = p_tenant AND b.scope = 'definition' AND b.name = r.definition
            AND b.unit = p_unit AND (b.hard IS NOT NULL OR b.soft IS NOT NULL) WHERE r.tenant_id = p_tenant AND r.run = p_run)
        OR EXISTS (SELECT FROM allowances a WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit
            AND (a.hard IS NOT NULL OR a.soft IS NOT NULL))
        OR EXISTS (SELECT FROM platform_budgets t WHERE t.unit = p_unit AND t.hard IS NOT NULL)
$$;

-- Reserves an attempt's worst case, in its intent's transaction. p_charge is {usd_micros (null: no price), tokens, ms, forced,
-- caps: [{step, usd_micros, tokens, ms}]}; ms counts only where a limit on it applies, and `ms_held` is then what the attempt may take.
-- Nothing is held when it is refused.
CREATE FUNCTION budget_reserve(
    p_tenant text, p_run text, p_step text, p_visit integer, p_call text, p_token text, p_charge jsonb,
    OUT refused text, OUT ms_held bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_caps jsonb := coalesce(p_charge->'caps', '[]');
    v_forced boolean := coalesce((p_charge->>'forced')::boolean, false);
    v_unit text;
    v_amount bigint;
    v_steps text[];
    v_hards bigint[];
    v_hold record;
BEGIN
    IF EXISTS (SELECT FROM reservations v WHERE v.tenant_id = p_tenant AND v.run = p_run AND v.step = p_step AND v.visit = p_visit
        AND v.call = p_call) THEN
        PERFORM budget_release(p_tenant, p_run, p_step, p_visit, p_call);
    END IF;
    FOREACH v_unit IN ARRAY ARRAY['usd_micros', 'tokens', 'ms'] LOOP
        v_steps := '{}';
        v_hards := '{}';
        IF v_caps <> '[]' THEN
            SELECT coalesce(array_agg(c->>'step'), '{}'), coalesce(array_agg((c->>v_unit)::bigint), '{}') INTO v_steps, v_hards
                FROM jsonb_array_elements(v_caps) AS c WHERE c->>v_unit IS NOT NULL;
        END IF;
        v_amount := (p_charge->>v_unit)::bigint;
        IF v_unit = 'usd_micros' AND v_amount IS NULL AND NOT v_forced
            AND (cardinality(v_hards) > 0 OR budget_limited(p_tenant, p_run, v_unit)) THEN
            refused := 'this call has no known price, and a budget in USD applies to it: give its model a price in STANDFAST_PRICES';
        END IF;
        CONTINUE WHEN refused IS NOT NULL OR coalesce(v_amount, 0) = 0
            OR (v_unit = 'ms' AND cardinality(v_hards) = 0 AND NOT budget_limited(p_tenant, p_run, v_unit));
        v_hold := budget_hold(p_tenant, p_run, p_step, v_unit, v_amount, v_steps, v_hards, v_forced, v_unit = 'ms');
        IF v_hold.refused IS NOT NULL THEN
            refused := v_hold.refused;
        ELSE
            INSERT INTO reservations (tenant_id, run, step, visit, call, unit, token, amount)
                VALUES (p_tenant, p_run, p_step, p_visit, p_call, v_unit, p_token, v_hold.held);
            ms_held := CASE v_unit WHEN 'ms' THEN v_hold.held END;
        END IF;
    END LOOP;
    IF refused IS NOT NULL THEN
        PERFORM budget_release(p_tenant, p_run, p_step, p_visit, p_call);
        ms_held := NULL;
    END IF;
END $$;

-- Settles an attempt, in its outcome's transaction: what it held is let go, what it used is counted, and a cost is written down once:
-- false says that this attempt's cost is known already. A late attempt holds nothing any more; what it used is counted all the same.
-- With p_keep (it may have happened) it goes on holding what it holds.
CREATE FUNCTION budget_settle(
    p_tenant text, p_run text, p_step text, p_visit integer, p_call text, p_token text, p_subject text, p_model text,
    p_input_tokens bigint, p_output_tokens bigint, p_cost bigint, p_duration_ms bigint, p_keep boolean)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_units text[] := ARRAY['usd_micros', 'tokens', 'ms'];
    v_used bigint[] := ARRAY[p_cost, p_input_tokens + p_output_tokens, p_duration_ms];
    v_held bigint[];
BEGIN
    SELECT array_agg(v.amount ORDER BY u.place) INTO v_held FROM unnest(v_units) WITH ORDINALITY AS u(unit, place)
        LEFT JOIN reservations v ON v.tenant_id = p_tenant AND v.run = p_run AND v.step = p_step AND v.visit = p_visit
            AND v.call = p_call AND v.unit = u.unit AND v.token = p_token;
    IF v_used[1] + v_used[2] > 0 THEN
        INSERT INTO costs (tenant_id, run, step, visit, call, token, definition, subject, model, input_tokens, output_tokens,
            cost_usd_micros, duration_ms, reserved_usd_micros, reserved_tokens)
        SELECT p_tenant, p_run, p_step, p_visit, p_call, p_token, r.definition, p_subject, p_model, p_input_tokens, p_output_tokens,
            p_cost, p_duration_ms, coalesce(v_held[1], 0), coalesce(v_held[2], 0)
        FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    IF p_keep THEN
        RETURN true;
    END IF;
    IF v_held <> '{NULL,NULL,NULL}' THEN
        DELETE FROM reservations v WHERE v.tenant_id = p_tenant AND v.run = p_run AND v.step = p_step AND v.visit = p_visit
            AND v.call = p_call AND v.token = p_token;
    END IF;
    FOR i IN 1 .. 3 LOOP
        -- Time counts only where it was held: where a limit on it applied.
        IF v_held[i] IS NOT NULL OR (v_used[i] > 0 AND i < 3) THEN
            PERFORM budget_count(p_tenant, p_run, p_step, v_units[i], coalesce(v_held[i], 0), v_used[i]);
        END IF;
    END LOOP;
    RETURN true;
END $$;

-- Gives back what a run holds for nothing: before it waits, and with p_closed at its end, reservations included.
CREATE FUNCTION budget_return(p_tenant text, p_run text, p_closed boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_unit text;
BEGIN
    IF p_closed THEN
        PERFORM budget_release(p_tenant, p_run, NULL, NULL, NULL);
    END IF;
    FOR v_unit IN SELECT a.unit FROM allowances a
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND (a.allowance > 0 OR a.spent > 0) ORDER BY a.unit
    LOOP
        PERFORM budget_report(p_tenant, p_run, v_unit, true);
    END LOOP;
END $$;

-- The runs of a tenant that hold something nobody may use any more: an attempt whose lease is over, or a grant that lies idle.
-- An effect in doubt may have happened: what it holds stays until it is resolved or the run ends.
CREATE FUNCTION budget_leaks(p_tenant text, p_idle_ms bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT v.run FROM reservations v LEFT JOIN effects e ON e.tenant_id = v.tenant_id AND e.run = v.run AND e.step = v.step
        AND e.visit = v.visit AND e.call = v.call AND e.lease_token = v.token
    WHERE v.tenant_id = p_tenant AND (e.state IS NULL OR e.state IN ('done', 'failed')
        OR (e.state = 'intent' AND e.lease_until < clock_timestamp()))
    UNION
    SELECT a.run FROM allowances a WHERE a.tenant_id = p_tenant AND a.step = '' AND a.allowance > 0
        AND (a.allowance > a.reserved + a.spent OR a.spent > 0)
        AND a.updated_at < clock_timestamp() - p_idle_ms * interval '1 millisecond'
$$;

-- Brings back what leaked of one run, unless somebody works on it. False: it was busy.
CREATE FUNCTION budget_reclaim(p_tenant text, p_run text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_one reservations;
    v_closed timestamptz;
BEGIN
    SELECT r.closed_at INTO v_closed FROM runs r WHERE r.tenant_id = p_tenant AND r.run = p_run FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR v_one IN SELECT v.* FROM reservations v LEFT JOIN effects e ON e.tenant_id = v.tenant_id AND e.run = v.run AND e.step = v.step
            AND e.visit = v.visit AND e.call = v.call AND e.lease_token = v.token
        WHERE v.tenant_id = p_tenant AND v.run = p_run AND (e.state IS NULL OR e.state IN ('done', 'failed')
            OR (e.state = 'intent' AND e.lease_until < clock_timestamp()))
    LOOP
        PERFORM budget_release(p_tenant, p_run, v_one.step, v_one.visit, v_one.call);
    END LOOP;
    PERFORM budget_return(p_tenant, p_run, v_closed IS NOT NULL);
    RETURN true;
END $$;

-- Reports a tenant's spending to the platform and gives back the escrow it holds for nothing.
CREATE FUNCTION budget_return_tenant(p_tenant text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_ten budgets;
    v_spare bigint;
BEGIN
    FOR v_ten IN SELECT b.* FROM budgets b WHERE b.tenant_id = p_tenant AND b.scope = 'tenant' AND b.name = ''
        AND (b.used > 0 OR b.allowance > b.held) ORDER BY b.unit FOR NO KEY UPDATE
    LOOP
        v_spare := v_ten.allowance - v_ten.held - v_ten.used;
        UPDATE platform_budgets t SET held = t.held - v_ten.used - v_spare, period_start = budget_period(t.period, clock_timestamp()),
            spent = v_ten.used + CASE WHEN t.period_start < budget_period(t.period, clock_timestamp()) THEN 0 ELSE t.spent END
            WHERE t.unit = v_ten.unit;
        UPDATE budgets b SET allowance = b.held, used = 0
            WHERE b.tenant_id = p_tenant AND b.scope = 'tenant' AND b.name = '' AND b.unit = v_ten.unit;
    END LOOP;
END $$;

-- Sets the limits of a tenant or a definition. A changed period counts what was settled within the new one.
CREATE FUNCTION budget_limit(
    p_tenant text, p_scope text, p_name text, p_unit text, p_hard bigint, p_soft bigint, p_period text, p_thresholds integer[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_node budgets := budget_node(p_tenant, p_scope, p_name, p_unit);
    v_from timestamptz := budget_period(p_period, clock_timestamp());
    v_spent bigint := v_node.spent;
BEGIN
    IF v_node.period <> p_period AND p_unit <> 'ms' THEN
        SELECT greatest(0, coalesce((SELECT sum(CASE p_unit WHEN 'tokens' THEN c.input_tokens + c.output_tokens ELSE c.cost_usd_micros END)
                FROM costs c WHERE c.tenant_id = p_tenant AND c.settled_at >= v_from AND (p_scope = 'tenant' OR c.definition = p_name)), 0)
            - coalesce((SELECT sum(a.spent) FROM allowances a WHERE a.tenant_id = p_tenant AND a.unit = p_unit AND a.step = ''
                AND a.allowance > 0 AND (p_scope = 'tenant' OR a.definition = p_name)), 0)) INTO v_spent;
    END IF;
    UPDATE budgets b SET hard = p_hard, soft = p_soft, period = p_period, period_start = v_from, thresholds = p_thresholds,
        spent = v_spent, updated_at = clock_timestamp(),
        told = CASE WHEN (b.hard, b.soft, b.period, b.thresholds) IS DISTINCT FROM (p_hard, p_soft, p_period, p_thresholds) THEN 0
            ELSE b.told END
    WHERE b.tenant_id = p_tenant AND b.scope = p_scope AND b.name = p_name AND b.unit = p_unit;
    -- A lower limit holds at once: chunks that lie idle come back.
    PERFORM budget_sweep(p_tenant, '', p_unit);
END $$;
