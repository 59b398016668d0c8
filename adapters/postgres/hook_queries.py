"""The SQL of hooks, their requests, and listeners."""

HOOK_COLUMNS = b"""
SELECT h.tenant_id, h.hook, h.scheme, h.rules, h.created_by, h.created_at, h.updated_at,
    (SELECT coalesce(json_object_agg(s.secret_id, s.expires_at ORDER BY s.created_at), '{}') FROM hook_secrets s
        WHERE s.tenant_id = h.tenant_id AND s.hook = h.hook AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())) AS secrets
FROM hooks h WHERE h.tenant_id = %(tenant)s AND h.removed_at IS NULL
"""

HOOK = HOOK_COLUMNS + b" AND h.hook = %(hook)s"
HOOK_PAGE = HOOK_COLUMNS + b" AND (h.name, h.hook) > (%(name)s, %(hook)s) ORDER BY h.name, h.hook LIMIT %(limit)s"

INSERT_HOOK = b"""
INSERT INTO hooks (tenant_id, hook, name, scheme, rules, enabled, created_by, created_at, updated_at)
VALUES (%(tenant)s, %(hook)s, %(name)s, %(scheme)s, %(rules)s, %(enabled)s, %(created_by)s, %(at)s, %(at)s)
"""

CHANGE_HOOK = b"""
UPDATE hooks SET name = %(name)s, rules = %(rules)s, enabled = %(enabled)s, updated_at = %(at)s
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND removed_at IS NULL
"""

REMOVE_HOOK = b"""
UPDATE hooks SET removed_at = %(at)s, enabled = false WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND removed_at IS NULL
"""

ADD_SECRET = b"""
INSERT INTO hook_secrets (tenant_id, hook, secret_id, sealed, created_at) VALUES (%(tenant)s, %(hook)s, %(secret)s, %(sealed)s, %(at)s)
"""

END_SECRETS = b"""
UPDATE hook_secrets SET expires_at = least(expires_at, %(until)s)
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND secret_id <> %(secret)s
"""

DROP_SECRETS = b"DELETE FROM hook_secrets WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND (%(all)s OR expires_at <= %(at)s)"

LIVE_SECRETS = b"""
SELECT secret_id, sealed FROM hook_secrets
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND (expires_at IS NULL OR expires_at > %(at)s) ORDER BY created_at DESC
"""

REQUEST_COLUMNS = b"""
SELECT tenant_id, hook, webhook_id, first, state, run, correlation_id, received_at, settled_at, attempts, detail, held FROM hook_requests
"""

INSERT_REQUEST = b"""
INSERT INTO hook_requests (tenant_id, hook, webhook_id, content, first, state, run, correlation_id, received_at, settled_at, held)
VALUES (%(tenant)s, %(hook)s, %(webhook_id)s, %(content)s, %(first)s, %(first)s, %(run)s, %(correlation_id)s, %(at)s,
    CASE WHEN %(first)s IN ('started', 'ignored', 'dead') THEN %(at)s::timestamptz END, %(held)s)
ON CONFLICT DO NOTHING RETURNING webhook_id
"""

REQUEST = REQUEST_COLUMNS + b"WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s"

KNOWN_REQUEST = (
    REQUEST_COLUMNS
    + b"WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND (webhook_id = %(webhook_id)s OR content = %(content)s)"
    + b" ORDER BY webhook_id = %(webhook_id)s DESC LIMIT 1"
)

REQUEST_PAGE = (
    REQUEST_COLUMNS
    + b"WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND (received_at, webhook_id) < (%(received_at)s, %(webhook_id)s)"
    + b" ORDER BY received_at DESC, webhook_id DESC LIMIT %(limit)s"
)

UNSETTLED = (
    REQUEST_COLUMNS
    + b"WHERE tenant_id = %(tenant)s AND state IN ('waiting', 'sending')"
    + b" AND tried_at <= clock_timestamp() - %(seconds)s * interval '1 second' ORDER BY tried_at LIMIT %(limit)s"
)

TRY_REQUEST = b"""
UPDATE hook_requests SET attempts = attempts + 1, tried_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s RETURNING state, held, correlation_id
"""

AIMED = b"""
UPDATE hook_requests SET state = 'sending', run = %(run)s, held = %(held)s
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s
"""

UNAIM = b"""
UPDATE hook_requests SET state = 'waiting', run = NULL
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s AND state = 'sending'
"""

SETTLE = b"""
UPDATE hook_requests SET state = %(state)s, detail = %(detail)s, settled_at = clock_timestamp(),
    held = CASE WHEN %(state)s = 'dead' THEN held END
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s AND state IN ('waiting', 'sending')
"""

REVIVE = b"""
UPDATE hook_requests SET state = %(first)s, run = %(run)s, held = %(held)s, detail = NULL, tried_at = clock_timestamp(),
    settled_at = CASE WHEN %(first)s IN ('started', 'ignored') THEN clock_timestamp() END
WHERE tenant_id = %(tenant)s AND hook = %(hook)s AND webhook_id = %(webhook_id)s AND state = 'dead'
"""

KEEP_LISTENER = b"""
INSERT INTO listeners AS l (tenant_id, run, step, visit, signal, hash, opened, epoch, fact_seq)
VALUES (%(tenant)s, %(run)s, %(step)s, %(visit)s, %(signal)s, %(hash)s, %(opened)s, %(epoch)s, %(fact_seq)s)
ON CONFLICT (tenant_id, run, step, visit) DO UPDATE SET signal = excluded.signal, hash = excluded.hash, opened = excluded.opened,
    epoch = excluded.epoch, fact_seq = excluded.fact_seq,
    taken_by = CASE WHEN excluded.epoch > l.epoch THEN NULL ELSE l.taken_by END,
    opened_at = CASE WHEN excluded.epoch > l.epoch THEN clock_timestamp() ELSE l.opened_at END
WHERE (l.epoch, l.fact_seq) <= (excluded.epoch, excluded.fact_seq)
"""
"""A listener that a request has claimed stays claimed in its epoch: the signal is on its way."""

CLAIM_LISTENER = b"""
UPDATE listeners SET taken_by = %(request)s
FROM (SELECT l.run, l.step, l.visit FROM listeners l JOIN runs r ON r.tenant_id = l.tenant_id AND r.run = l.run
        WHERE l.tenant_id = %(tenant)s AND l.hash = %(hash)s AND l.opened AND l.taken_by IS NULL AND r.closed_at IS NULL
        ORDER BY l.opened_at, l.run LIMIT 1 FOR UPDATE OF l SKIP LOCKED) AS found
WHERE listeners.tenant_id = %(tenant)s AND listeners.run = found.run AND listeners.step = found.step AND listeners.visit = found.visit
RETURNING listeners.run
"""

OPEN_RUN = b"SELECT run FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s AND closed_at IS NULL"
RUN_EPOCH = b"SELECT epoch, correlation_id FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s"
