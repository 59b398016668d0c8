"""The SQL of dead letters and of redrives of many."""

ADD = b"""
SELECT dead_letter_add(%(tenant)s, %(kind)s, %(subject)s, %(occasion)s, %(run)s, %(definition)s, %(step)s, %(error)s, %(place)s,
    %(attempts)s, %(first_at)s, %(last_at)s, %(payload_ref)s) AS dead_letter
"""

GET = b"SELECT * FROM dead_letters WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s"

PAGE = b"""
SELECT * FROM dead_letters
WHERE tenant_id = %(tenant)s AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(cause)s::text IS NULL OR cause = %(cause)s) AND (%(definition)s::text IS NULL OR definition = %(definition)s)
    AND (%(run)s::text IS NULL OR run = %(run)s) AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
    AND (last_at, dead_letter) < (%(last_at)s, %(dead_letter)s)
ORDER BY last_at DESC, dead_letter DESC LIMIT %(limit)s
"""

CLAIM = b"""
UPDATE dead_letters SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
    AND (lease_until IS NULL OR lease_until <= clock_timestamp())
RETURNING *
"""

RELEASE = b"""
UPDATE dead_letters SET lease_until = NULL, refused = %(refused)s
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
"""

REDRIVEN = b"""
UPDATE dead_letters SET state = 'redriven', closed_at = coalesce(closed_at, clock_timestamp()), closed_by = %(by)s,
    reason_sealed = %(reason)s, lease_until = NULL, refused = NULL
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state <> 'discarded' AND closed_by IS NULL
RETURNING run
"""
"""A run's is closed by the database when the run opens again; who did that is told here."""

DISCARD = b"""
UPDATE dead_letters SET state = 'discarded', closed_at = clock_timestamp(), closed_by = %(by)s, reason_sealed = %(reason)s
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
    AND (lease_until IS NULL OR lease_until <= clock_timestamp())
RETURNING run
"""

EMPTY_REQUEST = b"""
UPDATE hook_requests SET held = NULL
WHERE tenant_id = %(tenant)s AND hook = split_part(%(subject)s, '/', 1) AND state = 'dead'
    AND webhook_id = substr(%(subject)s, 1 + strpos(%(subject)s, '/'))
"""
"""What is kept of an inbound request that nobody will handle any more."""

RUN_OF = b"SELECT correlation_id, epoch FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s"

CLOSED_WITH_RUN = b"""
SELECT tenant_id, dead_letter FROM dead_letters
WHERE tenant_id = %(tenant)s AND run = %(run)s AND kind IN ('run', 'effect') AND state = 'redriven' AND closed_by IS NULL
"""

_FITS = b"""
d.tenant_id = o.tenant_id AND d.state = 'open' AND d.added_at <= o.requested_at AND (o.kind IS NULL OR d.kind = o.kind)
    AND (o.cause IS NULL OR d.cause = o.cause) AND (o.definition IS NULL OR d.definition = o.definition)
    AND (o.since IS NULL OR d.last_at >= o.since) AND NOT (d.last_order IS NOT DISTINCT FROM o.redrive AND d.refused IS NOT NULL)
"""
"""What a redrive of many still has to take: one that was claimed and neither redriven nor refused is taken again after its lease."""

BEGIN = b"""
INSERT INTO dead_letter_redrives (tenant_id, redrive, kind, cause, definition, since, rate, reason_sealed, requested_by)
VALUES (%(tenant)s, %(redrive)s, %(kind)s, %(cause)s, %(definition)s, %(since)s, %(rate)s, %(sealed)s, %(requested_by)s)
ON CONFLICT DO NOTHING
"""

ORDER = (
    b"""
SELECT o.*,
    CASE WHEN o.finished_at IS NULL THEN (SELECT count(*) FROM dead_letters d WHERE d.tenant_id = o.tenant_id
        AND d.last_order = o.redrive AND d.state = 'redriven') ELSE o.redriven END AS done,
    CASE WHEN o.finished_at IS NULL THEN (SELECT count(*) FROM dead_letters d WHERE d.tenant_id = o.tenant_id
        AND d.last_order = o.redrive AND d.refused IS NOT NULL) ELSE o.refused END AS not_done,
    CASE WHEN o.finished_at IS NULL THEN (SELECT count(*) FROM dead_letters d WHERE"""
    + _FITS
    + b""") ELSE 0 END AS to_do
FROM dead_letter_redrives o WHERE o.tenant_id = %(tenant)s AND o.redrive = %(redrive)s
"""
)

DUE = b"""
SELECT o.redrive, least(%(most)s, floor(o.rate * least(extract(epoch FROM clock_timestamp() - o.next_at), 10)) + 1)::integer AS places
FROM dead_letter_redrives o
WHERE o.tenant_id = %(tenant)s AND o.finished_at IS NULL AND o.next_at <= clock_timestamp()
ORDER BY o.next_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
"""A bucket that fills at the redrive's rate, for ten seconds at most: rounds of the sweeper are apart, and may pause."""

TAKE = (
    b"""
WITH chosen AS MATERIALIZED (SELECT d.dead_letter FROM dead_letters d, dead_letter_redrives o
    WHERE o.tenant_id = %(tenant)s AND o.redrive = %(redrive)s AND"""
    + _FITS
    + b"""
    AND (d.lease_until IS NULL OR d.lease_until <= clock_timestamp())
    ORDER BY d.last_at, d.dead_letter LIMIT %(places)s FOR UPDATE OF d SKIP LOCKED)
UPDATE dead_letters SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second', last_order = %(redrive)s, refused = NULL
WHERE tenant_id = %(tenant)s AND dead_letter IN (SELECT dead_letter FROM chosen)
RETURNING *
"""
)
"""Materialised: a plan that asks the inner select anew for each row would take more than its limit."""

TAKEN = b"""
UPDATE dead_letter_redrives o SET next_at = greatest(next_at, clock_timestamp() - interval '10 seconds')
    + %(taken)s / rate * interval '1 second'
WHERE tenant_id = %(tenant)s AND redrive = %(redrive)s
"""

FINISH = (
    b"""
UPDATE dead_letter_redrives o SET finished_at = clock_timestamp(),
    redriven = (SELECT count(*) FROM dead_letters d WHERE d.tenant_id = o.tenant_id AND d.last_order = o.redrive AND d.state = 'redriven'),
    refused = (SELECT count(*) FROM dead_letters d WHERE d.tenant_id = o.tenant_id AND d.last_order = o.redrive AND d.refused IS NOT NULL)
WHERE o.tenant_id = %(tenant)s AND o.redrive = %(redrive)s AND o.finished_at IS NULL AND NOT EXISTS (SELECT FROM dead_letters d WHERE"""
    + _FITS
    + b""")
"""
)
