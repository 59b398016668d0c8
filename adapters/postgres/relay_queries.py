"""The SQL of the relay and of deliveries: what is unread, what may start, and what one attempt writes."""

ACTIVATE = b"INSERT INTO relays (tenant_id) VALUES (%(tenant)s) ON CONFLICT (tenant_id) DO NOTHING"

WAITING = b"""
SELECT EXISTS (SELECT 1 FROM relays y WHERE y.tenant_id = %(tenant)s) AND (
    EXISTS (SELECT 1 FROM runs r LEFT JOIN relay_cursors c USING (tenant_id, run)
        WHERE r.tenant_id = %(tenant)s AND r.unsealed AND r.head_seq > coalesce(c.seq, 0))
    OR EXISTS (SELECT 1 FROM deliveries d
        WHERE d.tenant_id = %(tenant)s AND d.state = 'pending' AND d.started_round < d.round)) AS waiting
"""

CLAIM = b"""
UPDATE relays y SET
    epoch = y.epoch + CASE WHEN y.holder = %(holder)s THEN 0 ELSE 1 END, holder = %(holder)s,
    lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE y.tenant_id = %(tenant)s AND (y.holder = %(holder)s OR y.lease_until <= clock_timestamp())
RETURNING epoch
"""

FENCE = b"""
UPDATE relays SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s
RETURNING epoch
"""
"""Locks the lease's row until the commit: no other epoch can begin meanwhile, and an ended epoch finds no row."""

RELEASE = b"UPDATE relays SET lease_until = clock_timestamp() WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s"

HEADS = b"""
SELECT r.run, r.head_seq, coalesce(c.seq, 0) AS seq FROM runs r LEFT JOIN relay_cursors c USING (tenant_id, run)
WHERE r.tenant_id = %(tenant)s AND r.unsealed AND r.head_seq > coalesce(c.seq, 0)
ORDER BY r.run LIMIT %(limit)s
"""
"""`unsealed` stays on a run until the sealer and the relay have both come to its head (sealer_queries.FORGET_QUIET)."""

ENTRIES = b"""
SELECT e.run, e.seq, encode(e.hash, 'hex') AS hash, e.recorded_at, e.body, r.definition, r.version
FROM unnest(%(runs)s::text[], %(seqs)s::bigint[], %(heads)s::bigint[]) AS unread(run, seq, head)
    JOIN ledger_entries e ON e.tenant_id = %(tenant)s AND e.run = unread.run AND e.seq > unread.seq AND e.seq <= unread.head
    JOIN runs r ON r.tenant_id = %(tenant)s AND r.run = e.run
WHERE e.recorded_at >= (SELECT y.since FROM relays y WHERE y.tenant_id = %(tenant)s)
ORDER BY e.run, e.seq LIMIT %(limit)s
"""

INSERT_DELIVERIES = b"""
INSERT INTO deliveries (tenant_id, delivery, channel, endpoint, event, type, run, seq, document, ordered)
SELECT %(tenant)s, * FROM unnest(%(ids)s::text[], %(channels)s::text[], %(endpoints)s::text[], %(events)s::text[], %(types)s::text[],
    %(runs)s::text[], %(seqs)s::bigint[], %(documents)s::text[], %(ordered)s::boolean[])
ON CONFLICT (tenant_id, delivery) DO NOTHING RETURNING delivery
"""

INSERT_ENDPOINTS = b"""
INSERT INTO delivery_endpoints (tenant_id, channel, endpoint)
SELECT DISTINCT %(tenant)s, * FROM unnest(%(channels)s::text[], %(endpoints)s::text[]) ON CONFLICT DO NOTHING
"""

MOVE_CURSORS = b"""
INSERT INTO relay_cursors AS c (tenant_id, run, seq) SELECT %(tenant)s, * FROM unnest(%(runs)s::text[], %(seqs)s::bigint[])
ON CONFLICT (tenant_id, run) DO UPDATE SET seq = greatest(c.seq, excluded.seq)
"""

STARTABLE = b"""
SELECT d.delivery, d.round, n.channel, n.endpoint FROM delivery_endpoints n CROSS JOIN LATERAL (
    SELECT d.delivery, d.round, d.created_at, d.seq FROM deliveries d
    WHERE d.tenant_id = n.tenant_id AND d.channel = n.channel AND d.endpoint = n.endpoint AND d.state = 'pending'
        AND d.started_round < d.round
        AND (NOT d.ordered OR NOT EXISTS (SELECT 1 FROM deliveries b
            WHERE b.tenant_id = d.tenant_id AND b.channel = d.channel AND b.endpoint = d.endpoint AND b.state = 'pending'
                AND b.run = d.run AND (b.seq, b.event) < (d.seq, d.event)))
    ORDER BY d.created_at, d.seq
    LIMIT greatest(0, %(in_flight)s - (SELECT count(*) FROM deliveries f
        WHERE f.tenant_id = n.tenant_id AND f.channel = n.channel AND f.endpoint = n.endpoint AND f.state = 'pending'
            AND f.started_round = f.round AND (f.next_attempt_at IS NULL OR f.next_attempt_at <= clock_timestamp())))) AS d
WHERE n.tenant_id = %(tenant)s AND (n.throttled_until IS NULL OR n.throttled_until <= clock_timestamp())
ORDER BY d.created_at, d.seq LIMIT %(limit)s
"""
"""Endpoint by endpoint: one that is slow, throttled or far behind takes none of the places of another."""

STARTED = b"""
UPDATE deliveries d SET started_round = s.round FROM unnest(%(ids)s::text[], %(rounds)s::integer[]) AS s(delivery, round)
WHERE d.tenant_id = %(tenant)s AND d.delivery = s.delivery AND d.started_round < s.round
"""

OVERDUE = b"""
SELECT d.delivery, d.channel, d.endpoint, d.round, d.attempts + 1 AS attempt
FROM deliveries d LEFT JOIN delivery_endpoints n USING (tenant_id, channel, endpoint)
WHERE d.tenant_id = %(tenant)s AND d.state = 'pending' AND d.started_round = d.round AND d.delivery > %(after)s
    AND greatest(d.next_attempt_at, d.created_at, n.throttled_until) < clock_timestamp() - %(seconds)s * interval '1 second'
ORDER BY d.delivery LIMIT %(limit)s
"""

LOCK_DELIVERY = b"""
SELECT d.*, n.disabled_at, n.disabled_reason, extract(epoch FROM n.throttled_until - clock_timestamp())::float8 AS throttled_s,
    clock_timestamp() AS now
FROM deliveries d LEFT JOIN delivery_endpoints n USING (tenant_id, channel, endpoint)
WHERE d.tenant_id = %(tenant)s AND d.delivery = %(delivery)s FOR UPDATE OF d
"""

BEGIN_ATTEMPT = b"""
INSERT INTO delivery_attempts (tenant_id, delivery, round, attempt, tries)
SELECT %(tenant)s, %(delivery)s, %(round)s, %(attempt)s, 1 + count(*) FROM delivery_attempts a
WHERE a.tenant_id = %(tenant)s AND a.delivery = %(delivery)s AND a.round = %(round)s AND a.attempt = %(attempt)s
"""

END_ATTEMPT = b"""
UPDATE delivery_attempts a SET outcome = %(outcome)s, status = %(status)s, detail = %(detail)s, duration_ms = %(duration_ms)s
WHERE a.tenant_id = %(tenant)s AND a.delivery = %(delivery)s AND a.round = %(round)s AND a.attempt = %(attempt)s AND a.tries = (
    SELECT max(b.tries) FROM delivery_attempts b
    WHERE b.tenant_id = a.tenant_id AND b.delivery = a.delivery AND b.round = a.round AND b.attempt = a.attempt)
"""

SETTLE = b"""
UPDATE deliveries SET state = %(state)s, reason = %(reason)s, attempts = attempts + %(tried)s,
    next_attempt_at = CASE WHEN %(state)s = 'pending' THEN clock_timestamp() + %(pause_s)s * interval '1 second' END,
    settled_at = CASE WHEN %(state)s = 'pending' THEN NULL ELSE clock_timestamp() END
WHERE tenant_id = %(tenant)s AND delivery = %(delivery)s
"""

NOTE_ENDPOINT = b"""
INSERT INTO delivery_endpoints AS n (tenant_id, channel, endpoint) VALUES (%(tenant)s, %(channel)s, %(endpoint)s)
ON CONFLICT (tenant_id, channel, endpoint) DO UPDATE SET
    throttled_until = CASE WHEN %(throttle_s)s > 0
        THEN greatest(n.throttled_until, clock_timestamp() + %(throttle_s)s * interval '1 second') ELSE n.throttled_until END,
    disabled_at = CASE WHEN %(disable)s THEN coalesce(n.disabled_at, clock_timestamp()) ELSE n.disabled_at END,
    disabled_reason = CASE WHEN %(disable)s THEN coalesce(n.disabled_reason, %(reason)s) ELSE n.disabled_reason END,
    delivered_at = CASE WHEN %(delivered)s THEN clock_timestamp() ELSE n.delivered_at END,
    failed_at = CASE WHEN %(delivered)s THEN n.failed_at ELSE clock_timestamp() END
"""

DEAD_LETTER = b"""
SELECT dead_letter_add(%(tenant)s, 'delivery', d.delivery, d.round::text, d.run, r.definition, NULL,
    json_build_object('code', %(cause)s::text, 'detail', %(detail)s::text), '', d.attempts,
    coalesce((SELECT min(a.started_at) FROM delivery_attempts a WHERE a.tenant_id = d.tenant_id AND a.delivery = d.delivery
        AND a.round = d.round), d.created_at), clock_timestamp(), NULL)
FROM deliveries d LEFT JOIN runs r USING (tenant_id, run)
WHERE d.tenant_id = %(tenant)s AND d.delivery = %(delivery)s
"""

CLOSE_LETTERS = b"""
UPDATE dead_letters SET state = 'redriven', closed_at = clock_timestamp(), lease_until = NULL
WHERE tenant_id = %(tenant)s AND kind = 'delivery' AND subject = %(delivery)s AND state = 'open'
    AND coalesce(lease_until, '-infinity') <= clock_timestamp()
"""
"""A delivery that goes out again is no longer given up, whoever asked for it; one that is claimed is closed by who redrives it."""

REDELIVER = b"""
UPDATE deliveries SET state = 'pending', reason = '', round = round + 1, attempts = 0, next_attempt_at = NULL, settled_at = NULL
WHERE tenant_id = %(tenant)s AND delivery = %(delivery)s
RETURNING *
"""

DELIVERY = b"SELECT * FROM deliveries WHERE tenant_id = %(tenant)s AND delivery = %(delivery)s"

ATTEMPTS = b"""
SELECT * FROM delivery_attempts WHERE tenant_id = %(tenant)s AND delivery = %(delivery)s ORDER BY round, attempt, tries
"""

PAGE = b"""
SELECT * FROM deliveries
WHERE tenant_id = %(tenant)s AND channel = %(channel)s AND endpoint = %(endpoint)s
    AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(type)s::text IS NULL OR type = %(type)s)
    AND (%(run)s::text IS NULL OR run = %(run)s)
    AND (created_at, delivery) < (%(created_at)s::timestamptz, %(before)s)
ORDER BY created_at DESC, delivery DESC LIMIT %(limit)s
"""

REPLAY = b"""
UPDATE deliveries SET state = 'pending', reason = '', round = round + 1, attempts = 0, next_attempt_at = NULL, settled_at = NULL
WHERE tenant_id = %(tenant)s AND delivery = ANY (%(ids)s::text[]) AND state <> 'pending'
RETURNING delivery
"""

CLOSE_MANY = b"""
UPDATE dead_letters SET state = 'redriven', closed_at = clock_timestamp(), lease_until = NULL
WHERE tenant_id = %(tenant)s AND kind = 'delivery' AND subject = ANY (%(ids)s::text[]) AND state = 'open'
    AND coalesce(lease_until, '-infinity') <= clock_timestamp()
"""

_PAST = b"""
SELECT e.run, e.seq, encode(e.hash, 'hex') AS hash, e.recorded_at, e.body, r.definition, r.version, %(place)s AS place
"""

FROM_POSITION = (
    _PAST.replace(b"%(place)s", b"l.leaf_index")
    + b"""
FROM ledger_leaves l
    JOIN ledger_entries e ON e.tenant_id = l.tenant_id AND e.run = l.run AND e.seq = l.seq
    JOIN runs r ON r.tenant_id = l.tenant_id AND r.run = l.run
WHERE l.tenant_id = %(tenant)s AND l.leaf_index >= %(position)s ORDER BY l.leaf_index LIMIT %(limit)s
"""
)
"""Leaf indexes are given one after the other under the sealer's lease and have no gap, so they may be followed (JOURNAL section 4)."""

OF_RUN = (
    _PAST.replace(b"%(place)s", b"e.seq")
    + b"""
FROM runs r JOIN ledger_entries e ON e.tenant_id = r.tenant_id AND e.run = r.run AND e.seq >= %(sequence)s AND e.seq <= r.head_seq
WHERE r.tenant_id = %(tenant)s AND r.run = %(run)s ORDER BY e.seq LIMIT %(limit)s
"""
)

KNOWN_RUN = b"SELECT 1 AS known FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s"

OVER = b"""
SELECT delivery FROM deliveries
WHERE tenant_id = %(tenant)s AND state IN ('delivered', 'discarded') AND settled_at < clock_timestamp() - %(days)s * interval '1 day'
ORDER BY settled_at LIMIT 1000 FOR UPDATE SKIP LOCKED
"""

FORGET_ATTEMPTS = b"DELETE FROM delivery_attempts WHERE tenant_id = %(tenant)s AND delivery = ANY (%(ids)s::text[])"

FORGET_DELIVERIES = b"DELETE FROM deliveries WHERE tenant_id = %(tenant)s AND delivery = ANY (%(ids)s::text[])"
