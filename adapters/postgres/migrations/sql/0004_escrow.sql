-- Grants and returns between the platform, a tenant, its definitions and their runs (JOURNAL §3).
-- Lock order everywhere: the run's row, its allowances, the definition's budget, the tenant's, the platform's. Other runs' rows are
-- only ever taken with SKIP LOCKED, so nobody waits against the order. FOR NO KEY UPDATE leaves foreign keys free.

CREATE FUNCTION budget_text(p_unit text, p_amount bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_unit
        WHEN 'usd_micros' THEN '$' || p_amount / 1000000 || '.' || lpad((p_amount % 1000000)::text, 6, '0')
        WHEN 'tokens' THEN p_amount || ' tokens'
        ELSE round(p_amount / 1000.0, 3) || ' s' END
$$;

CREATE FUNCTION budget_refusal(p_owner text, p_unit text, p_amount bigint, p_left bigint, p_hard bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT format('this call may use up to %s, and the budget of %s has %s of %s left', budget_text(p_unit, p_amount), p_owner,
        budget_text(p_unit, greatest(p_left, 0)), budget_text(p_unit, p_hard))
$$;

-- The start of the running period, in UTC.
CREATE FUNCTION budget_period(p_period text, p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE p_period WHEN 'total' THEN 'epoch'::timestamptz ELSE date_trunc(p_period, p_now, 'UTC') END
$$;

-- Notes every threshold (percent of the soft limit, else of the hard one) that spending has passed; returns the highest told.
CREATE FUNCTION budget_tell(
    p_tenant text, p_run text, p_scope text, p_name text, p_unit text, p_limit bigint, p_spent bigint, p_thresholds integer[],
    p_told integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_told integer := p_told;
    v_one integer;
BEGIN
    IF p_limit > 0 THEN
        FOREACH v_one IN ARRAY p_thresholds LOOP
            IF v_one > p_told AND p_spent * 100 >= p_limit * v_one THEN
                INSERT INTO budget_events (tenant_id, scope, name, unit, threshold, basis, spent, run)
                VALUES (p_tenant, p_scope, p_name, p_unit, v_one, p_limit, p_spent, p_run);
                v_told := greatest(v_told, v_one);
            END IF;
        END LOOP;
    END IF;
    RETURN v_told;
END $$;

-- Locks the budget of a tenant or definition, made if it is missing, and begins its new period.
CREATE FUNCTION budget_node(p_tenant text, p_scope text, p_name text, p_unit text) RETURNS budgets LANGUAGE plpgsql AS $$
DECLARE
    v_node budgets;
BEGIN
    SELECT b.* INTO v_node FROM budgets b
        WHERE b.tenant_id = p_tenant AND b.scope = p_scope AND b.name = p_name AND b.unit = p_unit FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO budgets (tenant_id, scope, name, unit) VALUES (p_tenant, p_scope, p_name, p_unit) ON CONFLICT DO NOTHING;
        SELECT b.* INTO v_node FROM budgets b
            WHERE b.tenant_id = p_tenant AND b.scope = p_scope AND b.name = p_name AND b.unit = p_unit FOR NO KEY UPDATE;
    END IF;
    IF v_node.period_start < budget_period(v_node.period, clock_timestamp()) THEN
        UPDATE budgets b SET spent = 0, told = 0, period_start = budget_period(b.period, clock_timestamp())
            WHERE b.tenant_id = p_tenant AND b.scope = p_scope AND b.name = p_name AND b.unit = p_unit
            RETURNING b.* INTO v_node;
    END IF;
    RETURN v_node;
END $$;

-- Draws a tenant's escrow from the platform in chunks, so that it covers p_want more, or at least p_need; reports what was used.
-- Returns how much it covers. The tenant's budget is locked already.
CREATE FUNCTION budget_draw(p_tenant text, p_unit text, p_need bigint, p_want bigint, p_forced boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_ten budgets;
    v_top platform_budgets;
    v_open bigint;
    v_left bigint;
    v_short bigint;
BEGIN
    v_ten := budget_node(p_tenant, 'tenant', '', p_unit);
    v_open := v_ten.allowance - v_ten.held - v_ten.used;
    IF v_open >= p_want THEN
        RETURN p_want;
    END IF;
    SELECT t.* INTO v_top FROM platform_budgets t WHERE t.unit = p_unit FOR NO KEY UPDATE;
    IF v_top.period_start < budget_period(v_top.period, clock_timestamp()) THEN
        v_top.spent := 0;
        v_top.period_start := budget_period(v_top.period, clock_timestamp());
    END IF;
    v_left := coalesce(v_top.hard - v_top.held - v_top.spent, 1::bigint << 62);
    v_short := p_want - v_open;
    IF v_left >= v_short THEN
        v_short := greatest(v_short, least(v_short * 16, v_left / 32));
    ELSIF p_forced THEN
        v_short := greatest(p_need - v_open, 0);
    ELSE
        v_short := greatest(least(p_need - v_open, v_left), 0);
    END IF;
    UPDATE platform_budgets SET held = v_top.held + v_short - v_ten.used, spent = v_top.spent + v_ten.used,
        period_start = v_top.period_start WHERE unit = p_unit;
    UPDATE budgets b SET allowance = b.allowance + v_short - b.used, used = 0
        WHERE b.tenant_id = p_tenant AND b.scope = 'tenant' AND b.name = '' AND b.unit = p_unit;
    RETURN least(p_want, v_open + v_short);
END $$;

-- Takes back what other runs were granted and use for nothing, as far as nobody works on it.
CREATE FUNCTION budget_sweep(p_tenant text, p_run text, p_unit text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_name text;
    v_back bigint;
BEGIN
    FOR v_name IN SELECT b.name FROM budgets b
        WHERE b.tenant_id = p_tenant AND b.scope = 'definition' AND b.unit = p_unit AND b.held > 0
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        WITH idle AS (
            SELECT a.run, a.allowance - a.reserved - a.spent AS spare FROM allowances a
            WHERE a.tenant_id = p_tenant AND a.unit = p_unit AND a.step = '' AND a.definition = v_name AND a.run <> p_run
                AND a.allowance > 0 AND a.allowance > a.reserved + a.spent
            FOR NO KEY UPDATE SKIP LOCKED
        ), back AS (
            UPDATE allowances a SET allowance = a.allowance - idle.spare FROM idle
            WHERE a.tenant_id = p_tenant AND a.run = idle.run AND a.step = '' AND a.unit = p_unit
            RETURNING idle.spare
        ) SELECT coalesce(sum(spare), 0) INTO v_back FROM back;
        IF v_back > 0 THEN
            UPDATE budgets b SET held = b.held - v_back WHERE b.tenant_id = p_tenant AND b.unit = p_unit
                AND (b.scope = 'tenant' OR (b.scope = 'definition' AND b.name = v_name));
        END IF;
    END LOOP;
END $$;

-- Grants a run p_need more, in a chunk where there is plenty. `granted` is less when it is refused, unless p_partial takes what is left.
CREATE FUNCTION budget_grant(
    p_tenant text, p_run text, p_definition text, p_unit text, p_need bigint, p_forced boolean, p_partial boolean,
    OUT granted bigint, OUT refused text)
LANGUAGE plpgsql AS $$
DECLARE
    v_def budgets;
    v_ten budgets;
    v_left bigint;
BEGIN
    FOR v_try IN 1 .. 2 LOOP
        v_def := budget_node(p_tenant, 'definition', p_definition, p_unit);
        v_ten := budget_node(p_tenant, 'tenant', '', p_unit);
        v_left := least(coalesce(v_def.hard - v_def.held - v_def.spent, 1::bigint << 62),
            coalesce(v_ten.hard - v_ten.held - v_ten.spent, 1::bigint << 62));
        granted := 0;
        IF p_forced OR v_left >= p_need THEN
            granted := budget_draw(p_tenant, p_unit, p_need, greatest(p_need, least(p_need * 16, v_left / 32)), p_forced);
        END IF;
        EXIT WHEN granted >= p_need;
        IF v_try = 1 THEN
            PERFORM budget_sweep(p_tenant, p_run, p_unit);
        END IF;
    END LOOP;
    IF granted < p_need AND p_partial AND v_left > 0 THEN
        granted := budget_draw(p_tenant, p_unit, least(p_need, v_left), least(p_need, v_left), false);
    END IF;
    IF granted <= 0 OR (granted < p_need AND NOT p_partial) THEN
        refused := CASE
            WHEN v_def.hard - v_def.held - v_def.spent < p_need THEN budget_refusal('definition ' || p_definition, p_unit, p_need,
                v_def.hard - v_def.held - v_def.spent, v_def.hard)
            WHEN v_ten.hard - v_ten.held - v_ten.spent < p_need THEN budget_refusal('this tenant', p_unit, p_need,
                v_ten.hard - v_ten.held - v_ten.spent, v_ten.hard)
            ELSE format('this call may use up to %s, and the platform''s budget does not have it', budget_text(p_unit, p_need)) END;
        granted := 0;
        RETURN;
    END IF;
    UPDATE budgets b SET held = b.held + granted, updated_at = clock_timestamp() WHERE b.tenant_id = p_tenant AND b.unit = p_unit
        AND ((b.scope = 'tenant' AND b.name = '') OR (b.scope = 'definition' AND b.name = p_definition));
    UPDATE allowances a SET allowance = a.allowance + granted
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit;
END $$;

-- Reports what a run has spent to its definition and tenant, and gives back what it holds for nothing.
CREATE FUNCTION budget_report(p_tenant text, p_run text, p_unit text, p_give_back boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_run allowances;
    v_node budgets;
    v_spare bigint;
    v_place text[];
BEGIN
    SELECT a.* INTO v_run FROM allowances a
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit FOR NO KEY UPDATE;
    v_spare := CASE WHEN p_give_back THEN v_run.allowance - v_run.reserved - v_run.spent ELSE 0 END;
    IF v_run.unit IS NULL OR (v_run.spent = 0 AND v_spare = 0) THEN
        RETURN;
    END IF;
    FOREACH v_place SLICE 1 IN ARRAY ARRAY[['definition', v_run.definition], ['tenant', '']] LOOP
        v_node := budget_node(p_tenant, v_place[1], v_place[2], p_unit);
        UPDATE budgets b SET held = b.held - v_run.spent - v_spare, spent = b.spent + v_run.spent,
            used = b.used + CASE b.scope WHEN 'tenant' THEN v_run.spent ELSE 0 END, updated_at = clock_timestamp(),
            told = budget_tell(p_tenant, p_run, b.scope, b.name, p_unit, coalesce(b.soft, b.hard), b.spent + v_run.spent, b.thresholds,
                b.told)
        WHERE b.tenant_id = p_tenant AND b.scope = v_place[1] AND b.name = v_place[2] AND b.unit = p_unit;
    END LOOP;
    UPDATE allowances a SET allowance = a.allowance - a.spent - v_spare, settled = a.settled + a.spent, spent = 0
        WHERE a.tenant_id = p_tenant AND a.run = p_run AND a.step = '' AND a.unit = p_unit;
END $$;
