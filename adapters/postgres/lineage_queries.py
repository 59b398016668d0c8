"""The SQL of redrives and forks: the writes that open a run again, and who is still to be started."""

OPEN_AGAIN = b"""
UPDATE runs SET status = 'running', reason = 'redriven', waits_for = NULL, error = NULL, result_ref = NULL, closed_at = NULL,
    epoch = epoch + 1, temporal_run_id = NULL, projection_epoch = epoch + 1, projection_fact_seq = fact_head,
    updated_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND run = %(run)s AND closed_at IS NOT NULL AND status = ANY(%(statuses)s)
    AND epoch = %(epoch)s AND fact_head = %(fact_head)s
RETURNING epoch, correlation_id
"""
"""Compare-and-set on what the order's past said: of two redrives at once, one opens the run."""

TRY_FAILED_AGAIN = b"""
UPDATE effects SET error = (error::jsonb || '{"retryable": "true"}')::json
WHERE tenant_id = %(tenant)s AND run = %(run)s AND state = 'failed' AND error->>'retryable' = 'false'
"""
"""A recorded failure is final until a redrive: its effect is then tried again under the same key outside (ADR 0016)."""

REQUESTS_OF_RUN = b"""
SELECT e.kind, e.principal, e.recorded_at, convert_from(e.body, 'UTF8')::jsonb #>> '{data,payload}' AS ref, p.sealed
FROM ledger_entries e LEFT JOIN payloads p
    ON p.tenant_id = e.tenant_id AND p.ref = convert_from(e.body, 'UTF8')::jsonb #>> '{data,payload}'
WHERE e.tenant_id = %(tenant)s AND e.run = %(run)s
    AND e.kind IN ('gateway:run:cancel_requested', 'gateway:run:redriven', 'gateway:run:compensate_requested')
ORDER BY e.seq
"""

ADD_CONTINUATION = b"""
INSERT INTO continuations (tenant_id, run, epoch, kind, after_temporal_run_id, start_ref, lease_until)
VALUES (%(tenant)s, %(run)s, %(epoch)s, %(kind)s, %(after)s, %(ref)s, clock_timestamp())
"""

MARK_FORK = b"""
UPDATE runs SET parent_run = %(parent)s, fork_step = %(step)s, fork_effects = %(effects)s WHERE tenant_id = %(tenant)s AND run = %(run)s
"""

UNSTARTED = b"""
SELECT run, epoch FROM continuations
WHERE tenant_id = %(tenant)s AND started_at IS NULL AND created_at < clock_timestamp() - %(seconds)s * interval '1 second'
ORDER BY created_at LIMIT %(limit)s
"""

CLAIM = b"""
UPDATE continuations SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE tenant_id = %(tenant)s AND run = %(run)s AND epoch = %(epoch)s AND started_at IS NULL AND lease_until <= clock_timestamp()
RETURNING *
"""

MARK_STARTED = b"""
UPDATE continuations SET started_at = coalesce(started_at, clock_timestamp())
WHERE tenant_id = %(tenant)s AND run = %(run)s AND epoch = %(epoch)s
"""

FORKED_START = b"SELECT start_ref FROM continuations WHERE tenant_id = %(tenant)s AND run = %(run)s AND kind = 'fork'"
